// Base64 for the values of postmap -F. Pure; thread: any.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::tools {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline std::string encode_base64(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t group = 0;
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
        for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0);
        for (std::size_t i = 0; i < 4; ++i) out += i <= count ? base64_alphabet[group >> (18 - 6 * i) & 63] : '=';
    }
    return out;
}

inline std::optional<std::string> decode_base64(std::string_view text)
{
    if (text.size() % 4 != 0) return std::nullopt;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 4) {
        std::uint32_t group = 0;
        std::size_t padding = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const char c = text[at + i];
            const std::size_t value = base64_alphabet.find(c);
            if (c == '=' && at + 4 == text.size() && i >= 2) ++padding;
            else if (value == base64_alphabet.npos || padding > 0) return std::nullopt;
            group = group << 6 | static_cast<std::uint32_t>(c == '=' ? 0 : value);
        }
        for (std::size_t i = 0; i < 3 - padding; ++i) out += static_cast<char>(group >> (16 - 8 * i) & 0xff);
    }
    return out;
}

}  // namespace ekiden::tools
