// The two small protocols of tables that ask a server, without the asking: tcp_table(5) and socketmap_table(5). What
// servers say is not trusted: every reply is bounded and in a known form, or it is trouble. Pure.
#pragma once

#include "table/table.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ekiden::table {

inline constexpr std::size_t max_tcp_reply = 4096;            // with its newline, as tcp_table(5) documents
inline constexpr std::size_t max_socketmap_reply = 100000;    // characters, as socketmap_table(5) documents
inline constexpr std::size_t max_socketmap_query = 10000;

// "get KEY\n", the key with %xx for what is not printable; and what one reply line, without its newline, says.
std::string tcp_query(std::string_view key);
Answer parse_tcp_reply(std::string_view line);

// A netstring "NAME KEY", and what the inside of a reply's netstring says.
std::string socketmap_query(std::string_view name, std::string_view key);
Answer parse_socketmap_reply(std::string_view reply);

// The netstring at the beginning of `bytes`: its inside, nothing while bytes are missing, an error where it is none or is
// longer than max_socketmap_reply.
Result<std::optional<std::string_view>> parse_netstring(std::string_view bytes);

}  // namespace ekiden::table
