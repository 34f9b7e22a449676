#include "base/text.hpp"

#include <algorithm>

namespace ekiden::base {

std::string lower(std::string_view text)
{
    std::string result(text);
    for (char& c : result) c = to_lower(c);
    return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b)
{
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix)
{
    return text.size() >= prefix.size() && equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string_view trim_right(std::string_view text)
{
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::string_view trim(std::string_view text)
{
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    return trim_right(text);
}

std::vector<std::string_view> split_any(std::string_view text, std::string_view separators)
{
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; (at = text.find_first_not_of(separators, at)) != text.npos;) {
        std::size_t end = std::min(text.find_first_of(separators, at), text.size());
        pieces.push_back(text.substr(at, end - at));
        at = end;
    }
    return pieces;
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> pieces;
    for (;;) {
        std::size_t end = text.find(separator);
        pieces.push_back(text.substr(0, end));
        if (end == text.npos) return pieces;
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string_view> split_quoted_braces(std::string_view text, std::string_view separators)
{
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; (at = text.find_first_not_of(separators, at)) != text.npos;) {
        std::size_t end = at;
        int depth = 0;
        for (; end < text.size(); ++end) {
            char c = text[end];
            if (c == '{') ++depth;
            else if (c == '}' && depth > 0) --depth;
            else if (depth == 0 && separators.contains(c)) break;
        }
        pieces.push_back(text.substr(at, end - at));
        at = end;
    }
    return pieces;
}

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0 (RFC 3629: no overlong forms, no surrogates).
static std::size_t utf8_sequence(std::string_view text)
{
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char first = byte(0);
    if (first < 0x80) return 1;
    std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    unsigned char second = byte(1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f))
        return 0;
    return length;
}

std::string printable(std::string_view text, char replacement)
{
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        std::size_t length = utf8_sequence(text);
        if (length > 1) {
            result.append(text.substr(0, length));
        } else {
            result.push_back(length == 1 && is_print(text[0]) ? text[0] : replacement);
            length = 1;
        }
        text.remove_prefix(length);
    }
    return result;
}

bool is_valid_utf8(std::string_view text)
{
    while (!text.empty()) {
        std::size_t length = utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

bool is_ascii(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

int edit_distance(std::string_view a, std::string_view b, int limit)
{
    if (a.size() > 128 || b.size() > 128) return limit + 1;
    std::vector<int> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        int diagonal = row[0];
        row[0] = static_cast<int>(i);
        int best = row[0];
        for (std::size_t j = 1; j <= b.size(); ++j) {
            int up = row[j];
            row[j] = std::min({up + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = up;
            best = std::min(best, row[j]);
        }
        if (best > limit) return limit + 1;
    }
    return std::min(row[b.size()], limit + 1);
}

}  // namespace ekiden::base
