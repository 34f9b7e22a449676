#include "sasl/base64.hpp"

#include <algorithm>
#include <cstdint>

namespace ekiden::sasl {

namespace {

// All ones when low <= c <= high, else 0; without a branch.
constexpr int if_between(int c, int low, int high) { return ~((c - low) >> 8) & ~((high - c) >> 8); }

// 0…63, or -1.
constexpr int value_of(char character)
{
    const int c = static_cast<unsigned char>(character);
    int value = -1;
    value += if_between(c, 'A', 'Z') & (c - 'A' + 1);
    value += if_between(c, 'a', 'z') & (c - 'a' + 27);
    value += if_between(c, '0', '9') & (c - '0' + 53);
    value += if_between(c, '+', '+') & 63;
    value += if_between(c, '/', '/') & 64;
    return value;
}

constexpr char character_of(int value)
{
    int c = 0;
    c |= if_between(value, 0, 25) & (value + 'A');
    c |= if_between(value, 26, 51) & (value - 26 + 'a');
    c |= if_between(value, 52, 61) & (value - 52 + '0');
    c |= if_between(value, 62, 62) & '+';
    c |= if_between(value, 63, 63) & '/';
    return static_cast<char>(c);
}

}  // namespace

std::string encode_base64(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        int group = 0;
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
        for (std::size_t i = 0; i < 3; ++i)
            group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0);
        for (std::size_t i = 0; i < 4; ++i) out += i <= count ? character_of(group >> (18 - 6 * i) & 63) : '=';
    }
    return out;
}

std::optional<Secret> decode_base64(std::string_view text)
{
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    Secret out;
    std::string& bytes = out.buffer();
    bytes.reserve(text.size() / 4 * 3);
    int is_bad = 0;    // stays 0, or becomes negative
    for (std::size_t at = 0; at < text.size(); at += 4) {
        const std::size_t missing = at + 4 == text.size() ? padding : 0;
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const int value = i + missing < 4 ? value_of(text[at + i]) : 0;
            is_bad |= value;
            group = group << 6 | static_cast<std::uint32_t>(value & 63);
        }
        for (std::size_t i = 0; i + missing < 3; ++i) bytes += static_cast<char>(group >> (16 - 8 * i) & 0xff);
    }
    if (is_bad < 0) return std::nullopt;
    return out;
}

}  // namespace ekiden::sasl
