#include "smtp/xtext.hpp"

#include "base/text.hpp"

namespace ekiden::smtp {

namespace {

int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;   // RFC 3461 has upper case only; clients are taken as they are
    return -1;
}

void append_utf8(std::string& out, std::uint32_t point)
{
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xC0 | point >> 6);
        out += static_cast<char>(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        out += static_cast<char>(0xE0 | point >> 12);
        out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (point & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | point >> 18);
        out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
        out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (point & 0x3F));
    }
}

}  // namespace

std::optional<std::string> decode_xtext(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '+') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return out;
}

std::string encode_xtext(std::string_view text)
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 32 && byte < 127 && c != '+' && c != '=') {
            out += c;
        } else {
            out += '+';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

std::optional<std::string> decode_utf8_address(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        const auto close = text.find('}', i);
        if (!text.substr(i).starts_with("\\x{") || close == std::string_view::npos) return std::nullopt;
        const auto point = base::parse_number<std::uint32_t>(text.substr(i + 3, close - i - 3), 16);
        if (!point || *point == 0 || *point > 0x10FFFF || (*point >= 0xD800 && *point < 0xE000)) return std::nullopt;
        append_utf8(out, *point);
        i = close;
    }
    if (!base::is_valid_utf8(out)) return std::nullopt;
    return out;
}

std::string escaped(std::string_view text)
{
    static constexpr std::string_view named = "\a\b\f\n\r\t\v\\", names = "abfnrtv\\";
    std::string result;
    result.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (const auto at = named.find(c); at != std::string_view::npos) {
            result += '\\';
            result += names[at];
        } else if (base::is_print(c)) {
            result += c;
        } else {
            result += '\\';
            for (const int shift : {6, 3, 0}) result += static_cast<char>('0' + (byte >> shift & 7));
        }
    }
    return result;
}

}  // namespace ekiden::smtp
