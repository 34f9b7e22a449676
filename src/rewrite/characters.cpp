#include "rewrite/characters.hpp"

#include <algorithm>

namespace ekiden::rewrite {

namespace {

unsigned char byte(char c) { return static_cast<unsigned char>(c); }

// The byte behind a backslash; takes it off `text`, which is not empty.
unsigned char take_escape(std::string_view& text)
{
    constexpr std::string_view names = "abfnrtv", values = "\a\b\f\n\r\t\v";
    const char first = text.front();
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    if (is_octal(first)) {
        unsigned value = 0;
        for (int digits = 0; digits < 3 && !text.empty() && is_octal(text.front()); ++digits) {
            value = value * 8 + static_cast<unsigned>(text.front() - '0');
            text.remove_prefix(1);
        }
        return static_cast<unsigned char>(value);
    }
    text.remove_prefix(1);
    const auto at = names.find(first);
    return byte(at == std::string_view::npos ? first : values[at]);
}

std::array<bool, 256> read_set(std::string_view text, bool& has_any)
{
    std::array<bool, 256> set{};
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        set[c == '\\' && !text.empty() ? take_escape(text) : byte(c)] = true;
    }
    set['\n'] = false;   // lines stay lines
    has_any = std::ranges::find(set, true) != set.end();
    return set;
}

}  // namespace

CharacterRules::CharacterRules(std::string_view stripped, std::string_view refused)
    : stripped_(read_set(stripped, has_stripped_)), refused_(read_set(refused, has_refused_))
{
}

std::size_t CharacterRules::find_refused(std::string_view content) const
{
    const auto found = std::ranges::find_if(content, [&](char c) { return refused_[byte(c)]; });
    return found == content.end() ? std::string_view::npos : static_cast<std::size_t>(found - content.begin());
}

std::string CharacterRules::strip(std::string_view content) const
{
    std::string kept;
    kept.reserve(content.size());
    std::ranges::copy_if(content, std::back_inserter(kept), [&](char c) { return !stripped_[byte(c)]; });
    return kept;
}

}  // namespace ekiden::rewrite
