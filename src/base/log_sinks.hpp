// Where log lines go: a file in Postfix's format, standard output, syslog, or a test's memory.
//
// One sink per process, chosen at start (use_sink). Lines are collected in memory and written by one background
// thread, so a slow disk, a pipe without a reader or a dead syslog daemon holds up nobody; the buffer is bounded
// (8 MiB), and what is dropped past that is counted and reported in a warning line. flush_log() waits until everything
// said so far is written, for a pipe that nobody reads two seconds at most. Thread: any.
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <sys/types.h>

namespace ekiden::base {

class LogSink {
public:
    virtual ~LogSink() = default;
    // `text` is printable, without a final newline; `label` is "", "warning: ", "fatal: "….
    virtual void write(LogLevel level, std::string_view tag, std::string_view label, std::string_view text) = 0;
    // The same on behalf of another process, whose id stands in the line (postlog_server).
    virtual void write_for(pid_t, LogLevel level, std::string_view tag, std::string_view label, std::string_view text)
    {
        write(level, tag, label, text);
    }
    virtual void flush() {}
    virtual void reopen() {}
};

// "Nov 22 05:34:42 host tag[pid]: label text" (the local time zone). `host` is the first label of $myhostname.
// reopen() opens `path` anew, for rotation; a descriptor may be handed in for processes that may not open it.
// LogFormat::json: one record of log_json.hpp a line instead.
enum class LogFormat { line, json };
Result<std::unique_ptr<LogSink>> open_file_sink(std::string path, std::string host, mode_t mode = 0600,
                                                LogFormat format = LogFormat::line);
// The log file itself, for appending; made with exactly `mode` where it is missing. A FIFO is opened for reading too:
// the open does not wait for a reader, and a reader that leaves and comes back finds the lines said meanwhile.
Result<Fd> open_log_file(const std::string& path, mode_t mode = 0600);
// maillog_file_permissions: 0600, 0640 or 0644, the first zero optional; nothing for other text.
std::optional<mode_t> parse_log_mode(std::string_view text);
std::unique_ptr<LogSink> descriptor_sink(int fd, std::string host, LogFormat format = LogFormat::line);
std::unique_ptr<LogSink> syslog_sink(int facility);
// "tag: label text" on standard error, as Postfix's commands do.
std::unique_ptr<LogSink> stderr_sink();
std::unique_ptr<LogSink> function_sink(std::function<void(LogLevel, std::string_view tag, std::string line)>);

// Sends a line to both.
std::unique_ptr<LogSink> tee_sink(std::unique_ptr<LogSink>, std::unique_ptr<LogSink>);

// Replaces the process's sink (initially stderr_sink). Not while other threads log.
std::string_view label_of(LogLevel level);   // "", "warning: ", "error: "…
void use_sink(std::unique_ptr<LogSink>);
LogSink& current_sink();
void flush_log();
void reopen_log();

}  // namespace ekiden::base
