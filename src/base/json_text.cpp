#include "base/json_text.hpp"

#include <fmt/format.h>

namespace ekiden::base {

namespace {

// Length of the UTF-8 character at the beginning (RFC 3629 4); 0 where there is none.
std::size_t character_length(std::string_view bytes)
{
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char first = at(0);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length == 0 || bytes.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((at(i) & 0xc0) != 0x80) return 0;
    }
    // Too long a form, half of a pair, beyond the last character.
    if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f) || (first == 0xf0 && at(1) < 0x90) ||
        (first == 0xf4 && at(1) > 0x8f))
        return 0;
    return length;
}

}  // namespace

std::string json_text(std::string_view bytes)
{
    std::string out = "\"";
    while (!bytes.empty()) {
        const std::size_t length = character_length(bytes);
        const char c = bytes[0];
        if (length == 0) out += "\\ufffd";
        else if (length > 1) out += bytes.substr(0, length);
        else if (c == '"' || c == '\\') (out += '\\') += c;
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        else out += c;
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return out += '"';
}

}  // namespace ekiden::base
