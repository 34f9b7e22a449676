#include "mime/encoded_word.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::mime {

namespace {

constexpr std::size_t longest_word = 75;
constexpr std::size_t longest_charset = 40;

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

// RFC 2047 section 5 (3): the characters that may stand for themselves in a phrase.
bool is_plain(char c) { return base::is_alnum(c) || std::string_view("!*+-/").find(c) != std::string_view::npos; }

bool goes_on(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string encoded(char c)
{
    if (c == ' ') return "_";
    return is_plain(c) ? std::string(1, c) : fmt::format("={:02X}", static_cast<unsigned char>(c));
}

bool is_charset(std::string_view name)
{
    return !name.empty() && name.size() <= longest_charset && std::ranges::all_of(name, [](char c) {
        return base::is_alnum(c) || std::string_view("-_.:+").find(c) != std::string_view::npos;
    });
}

}  // namespace

std::string encode_words(std::string_view text, std::string_view charset)
{
    if (std::ranges::all_of(text, is_printable)) return std::string(text);
    const std::string head = fmt::format("=?{}?Q?", is_charset(charset) ? charset : "utf-8");
    std::string out, word = head;
    while (!text.empty()) {
        // One character with all its bytes; of what is no UTF-8, not more than fits.
        std::size_t length = 1;
        while (length < text.size() && length < 4 && goes_on(text[length])) ++length;
        std::string piece;
        for (const char c : text.substr(0, length)) piece += encoded(c);
        text.remove_prefix(length);
        if (word.size() + piece.size() + 2 > longest_word) {
            out += word + "?= ";
            word = head;
        }
        word += piece;
    }
    return out + word + "?=";
}

}  // namespace ekiden::mime
