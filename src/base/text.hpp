// Small text helpers that allocate only where the result must own its bytes. ASCII rules throughout: mail protocols
// compare case in ASCII, and a locale must not change that. Thread: any.
#pragma once

#include <concepts>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::base {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
constexpr bool is_print(char c) { return c >= 32 && c < 127; }

std::string lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

std::string_view trim(std::string_view text);
std::string_view trim_right(std::string_view text);

// Splits at any of `separators`; empty pieces are left out. Postfix's list separators are ", \t\r\n".
inline constexpr std::string_view list_separators = ", \t\r\n";
std::vector<std::string_view> split_any(std::string_view text, std::string_view separators = list_separators);
// Splits at one character; empty pieces are kept.
std::vector<std::string_view> split(std::string_view text, char separator);
// As split_any, but a `{ … }` group is one piece, braces included (Postfix "extended" list grammar).
std::vector<std::string_view> split_quoted_braces(std::string_view text, std::string_view separators = list_separators);

// The whole text is a number in range, or nothing.
template <std::integral T>
std::optional<T> parse_number(std::string_view text, int base = 10)
{
    T value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Replaces what a log or a reply must not contain: control characters, and bytes that are not UTF-8, become '?'.
std::string printable(std::string_view text, char replacement = '?');
bool is_valid_utf8(std::string_view text);
bool is_ascii(std::string_view text);

// Number of single-character edits between two names; for "did you mean". Bounded: at most `limit + 1`.
int edit_distance(std::string_view a, std::string_view b, int limit = 4);

}  // namespace ekiden::base
