#include "config/values.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <limits>

namespace ekiden::config {

std::optional<bool> parse_boolean(std::string_view text)
{
    if (base::equal_ignoring_case(text, "yes")) return true;
    if (base::equal_ignoring_case(text, "no")) return false;
    return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text, bool is_big)
{
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return std::nullopt;
    }
    const auto number = base::parse_number<std::int64_t>(text);
    if (!number) return std::nullopt;
    if (!is_big &&
        (*number > std::numeric_limits<std::int32_t>::max() || *number < std::numeric_limits<std::int32_t>::min()))
        return std::nullopt;
    return number;
}

std::optional<std::chrono::seconds> parse_time(std::string_view text, char unit)
{
    if (text.empty()) return std::nullopt;
    // "5mh" comes of a default like ${other}h where the other has a unit of its own: the first one counts.
    if (text.size() > 2 && base::is_alpha(text.back()) && base::is_alpha(text[text.size() - 2]) &&
        std::string_view("smhdw").contains(base::to_lower(text.back())))
        text.remove_suffix(1);
    if (base::is_alpha(text.back())) {
        unit = base::to_lower(text.back());
        text.remove_suffix(1);
    }
    const auto number = base::parse_number<std::int64_t>(text);
    if (!number || *number < 0) return std::nullopt;
    std::int64_t factor = 0;
    switch (unit) {
    case 's': factor = 1; break;
    case 'm': factor = 60; break;
    case 'h': factor = 3600; break;
    case 'd': factor = 86400; break;
    case 'w': factor = 604800; break;
    default: return std::nullopt;
    }
    if (*number > std::numeric_limits<std::int32_t>::max() / factor) return std::nullopt;
    return std::chrono::seconds(*number * factor);
}

char default_unit(std::string_view default_value)
{
    if (default_value.size() < 2) return 's';
    const char last = default_value.back();
    const char before = default_value[default_value.size() - 2];
    const bool is_unit = last == 's' || last == 'm' || last == 'h' || last == 'd' || last == 'w';
    // `$name` may end in such a letter too: then a digit or `}` is not before it.
    return is_unit && (base::is_digit(before) || before == '}') ? last : 's';
}

std::optional<std::size_t> end_of_group(std::string_view text, char open, char close)
{
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == open) ++depth;
        if (text[i] == close && --depth == 0) return i + 1;
    }
    return std::nullopt;
}

std::optional<std::string_view> inside_braces(std::string_view text)
{
    text = base::trim(text);
    if (!text.starts_with('{')) return std::nullopt;
    const auto end = end_of_group(text, '{', '}');
    if (!end || *end != text.size()) return std::nullopt;
    return base::trim(text.substr(1, text.size() - 2));
}

std::vector<std::string> split_list(std::string_view text)
{
    std::vector<std::string> pieces;
    for (const auto piece : base::split_quoted_braces(text)) pieces.emplace_back(piece);
    return pieces;
}

std::optional<NameValue> split_name_value(std::string_view text, std::string& error)
{
    const auto whole = base::trim(text);
    auto rest = whole;
    std::size_t end = 0;
    while (end < rest.size() && !base::is_space(rest[end]) && rest[end] != '=') ++end;
    const auto name = rest.substr(0, end);
    rest = base::trim(rest.substr(end));
    if (name.empty()) {
        error = fmt::format("missing attribute name: \"{}\"", whole);
        return std::nullopt;
    }
    if (!rest.starts_with('=')) {
        error = fmt::format("missing '=' after attribute name: \"{}\"", whole);
        return std::nullopt;
    }
    return NameValue{name, base::trim(rest.substr(1))};
}

std::optional<std::int64_t> parse_compatibility_level(std::string_view text)
{
    const auto parts = base::split(text, '.');
    if (parts.size() > 3) return std::nullopt;
    std::int64_t level = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        std::int64_t number = 0;
        if (i < parts.size()) {
            const auto parsed = base::parse_number<std::int64_t>(parts[i]);
            if (!parsed || *parsed < 0 || *parsed > 1023) return std::nullopt;
            number = *parsed;
        }
        level = level * 1024 + number;
    }
    return level;
}

}  // namespace ekiden::config
