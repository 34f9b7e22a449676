// xtext (RFC 3461 4), the encoding of ENVID, ORCPT and AUTH values, and utf-8-addr-xtext (RFC 6533 3). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ekiden::smtp {

// "+2B" → "+". Nothing when the text is not xtext. Control bytes that come out of it are the caller's to judge.
std::optional<std::string> decode_xtext(std::string_view text);
// Everything outside '!'…'~', and '+' and '=', becomes "+XX".
std::string encode_xtext(std::string_view text);

// "\x{E3}" forms of an ORCPT of type utf-8 → UTF-8; plain UTF-8 passes. Nothing when malformed.
std::optional<std::string> decode_utf8_address(std::string_view text);

// For the log, what a client sent where its bytes matter: "\r", "\n", "\\", and all that is not printable ASCII as "\303".
std::string escaped(std::string_view text);

}  // namespace ekiden::smtp
