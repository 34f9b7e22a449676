// A string as JSON (RFC 8259 7), for the commands that print it. Bytes that are no UTF-8 become U+FFFD, so that what
// reads the output is never handed what JSON does not allow.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::base {

std::string json_text(std::string_view bytes);    // with the quotation marks

}  // namespace ekiden::base
