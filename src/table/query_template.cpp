#include "table/query_template.hpp"

#include "base/text.hpp"

namespace ekiden::table {

namespace {

struct Parts {
    std::string_view whole, user;
    std::optional<std::string_view> domain;
};

Parts parts_of(std::string_view text)
{
    const std::size_t at = text.rfind('@');
    if (at == text.npos) return {text, text, std::nullopt};
    return {text, text.substr(0, at), text.substr(at + 1)};
}

std::optional<std::string_view> part(const Parts& parts, char letter)
{
    switch (letter) {
    case 's': return parts.whole;
    case 'u': return parts.user.empty() ? std::nullopt : std::optional(parts.user);
    default: return parts.domain && !parts.domain->empty() ? parts.domain : std::nullopt;
    }
}

// %1 is the last label of the domain, %2 the one before it …
std::optional<std::string_view> label(const Parts& parts, char digit)
{
    if (!parts.domain) return std::nullopt;
    const auto labels = base::split(*parts.domain, '.');
    const auto index = static_cast<std::size_t>(digit - '0');
    if (index > labels.size() || labels[labels.size() - index].empty()) return std::nullopt;
    return labels[labels.size() - index];
}

std::optional<std::string> expand(std::string_view text, const Parts& small, const Parts& key, const Quote& quote)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char letter = text[++i];
        std::optional<std::string_view> value;
        if (letter == '%') {
            out += '%';
            continue;
        }
        if (letter == 's' || letter == 'u' || letter == 'd') value = part(small, letter);
        else if (letter == 'S' || letter == 'U' || letter == 'D') value = part(key, base::to_lower(letter));
        else if (letter >= '1' && letter <= '9') value = label(key, letter);
        if (!value) return std::nullopt;
        out += quote ? quote(*value) : std::string(*value);
    }
    return out;
}

}  // namespace

std::optional<std::string> expand_query(std::string_view text, std::string_view key, const Quote& quote)
{
    const Parts parts = parts_of(key);
    return expand(text, parts, parts, quote);
}

std::optional<std::string> expand_result(std::string_view format, std::string_view value, std::string_view key)
{
    return expand(format, parts_of(value), parts_of(key), nullptr);
}

}  // namespace ekiden::table
