// Values of main.cf as C++ values: yes/no, numbers, times, lists. Pure; thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::config {

// "yes" or "no" in any case.
std::optional<bool> parse_boolean(std::string_view text);

// Decimal, an optional sign, nothing else; 32 bits unless `is_big`.
std::optional<std::int64_t> parse_integer(std::string_view text, bool is_big = false);

// Digits and an optional unit s, m, h, d or w (either case); at most 2^31-1 seconds.
std::optional<std::chrono::seconds> parse_time(std::string_view text, char unit_if_none = 's');

// The unit that a time without one has: that of the parameter's default ("5d" → 'd', "${stress?{10}:{300}}s" → 's').
char default_unit(std::string_view default_value);

// Splits at ", \t\r\n"; `{ … }` stays one piece with its braces.
std::vector<std::string> split_list(std::string_view text);

// The text of a `{ … }` group without braces and outer blanks; nothing if it is not one group, or unbalanced.
std::optional<std::string_view> inside_braces(std::string_view text);

// Where the group that opens at text[0] ends: the index after its closing bracket; nothing if unbalanced.
std::optional<std::size_t> end_of_group(std::string_view text, char open, char close);

// `name = value`, as in main.cf and after -o: both trimmed. `error` receives Postfix's words.
struct NameValue {
    std::string_view name;
    std::string_view value;
};
std::optional<NameValue> split_name_value(std::string_view text, std::string& error);

// major.minor.patch of compatibility_level, one number for comparison; nothing if malformed.
std::optional<std::int64_t> parse_compatibility_level(std::string_view text);

}  // namespace ekiden::config
