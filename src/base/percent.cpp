#include "base/percent.hpp"

#include "base/text.hpp"

namespace ekiden::base {

std::string percent_encode(std::string_view text, Blanks blanks)
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > (blanks == Blanks::stay ? 31 : 32) && byte != 127 && c != '%') {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto byte = text.size() - i > 2 ? parse_number<unsigned>(text.substr(i + 1, 2), 16) : std::nullopt;
        if (!byte) return std::nullopt;
        out += static_cast<char>(*byte);
        i += 2;
    }
    return out;
}

}  // namespace ekiden::base
