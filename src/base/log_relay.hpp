// Log lines of commands, on their way to the master: one datagram each. Commands that ordinary people run have no right
// to the log file, and those of root need not know whether it was just set aside.
//
// A datagram is a digit (the level), the tag, a NUL and the text; who sent it, and its process id, says the kernel. A
// line that is longer than the limit is cut. Thread: any.
#pragma once

#include "base/fd.hpp"
#include "base/log_sinks.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::base {

// Below $queue_directory, where Postfix has its own of this purpose.
inline constexpr std::string_view log_relay_name = "public/postlog";
inline constexpr std::size_t max_log_datagram = 16384, max_log_tag = 100;

struct RelayedLine {
    LogLevel level;
    std::string_view tag, text;     // of the datagram; any bytes
};
std::string format_log_datagram(LogLevel level, std::string_view tag, std::string_view text);
// Nothing where the bytes are no line of ours.
std::optional<RelayedLine> parse_log_datagram(std::string_view datagram);

// A socket that reaches the master at `path`; an error where none listens, or the caller may not reach it.
Result<Fd> connect_log_relay(const std::string& path);
// Sends lines there. From the first one on that cannot be sent (within five seconds) they go to what `instead` makes.
std::unique_ptr<LogSink> relay_sink(Fd socket, std::function<std::unique_ptr<LogSink>()> instead);

}  // namespace ekiden::base
