// %XX for bytes that a line of ours must not contain: control characters, '%', and blanks where a blank ends a word. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ekiden::base {

enum class Blanks : bool { stay, are_encoded };
std::string percent_encode(std::string_view text, Blanks blanks = Blanks::are_encoded);
// Nothing when a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace ekiden::base
