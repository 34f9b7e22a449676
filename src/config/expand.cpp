#include "config/expand.hpp"

#include "base/text.hpp"
#include "config/values.hpp"

#include <fmt/format.h>
#include <idn2.h>

#include <algorithm>
#include <array>
#include <compare>

namespace ekiden::config {

namespace {

constexpr std::string_view comparison_names = "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected";

bool is_name_character(char c) { return base::is_alnum(c) || c == '_'; }

// Where an error is: what has been read of the reference, then what follows.
[[noreturn]] void fail_at(std::string_view what, std::string_view before, std::string_view after)
{
    throw ExpandError(fmt::format("{} at: \"...{}>>>{}\"", what, before, after.substr(0, 40)));
}

// `{ … }` at the start of `rest`: its inside; `rest` then starts behind it. Blanks inside are kept.
std::string_view take_group(std::string_view& rest)
{
    const auto end = end_of_group(rest, '{', '}');
    if (!end) throw ExpandError(fmt::format("unbalanced {{}} in attribute expression: \"{}\"", rest));
    const auto inside = rest.substr(1, *end - 2);
    rest.remove_prefix(*end);
    return inside;
}

void skip_blanks(std::string_view& rest)
{
    while (!rest.empty() && base::is_space(rest.front())) rest.remove_prefix(1);
}

struct Operator {
    std::string_view text;
    bool (*holds)(std::strong_ordering);
};

// Longer ones first: "<=" is not "<".
constexpr std::array operators{
    Operator{"==", [](std::strong_ordering o) { return o == 0; }},
    Operator{"!=", [](std::strong_ordering o) { return o != 0; }},
    Operator{"<=", [](std::strong_ordering o) { return o <= 0; }},
    Operator{">=", [](std::strong_ordering o) { return o >= 0; }},
    Operator{"<", [](std::strong_ordering o) { return o < 0; }},
    Operator{">", [](std::strong_ordering o) { return o > 0; }},
};

// Numbers are compared as numbers, levels part by part, all else as bytes.
std::strong_ordering compare(std::string_view a, std::string_view b, bool is_level)
{
    if (is_level) {
        for (const auto side : {a, b})
            if (!parse_compatibility_level(side))
                throw ExpandError(fmt::format("malformed compatibility level syntax: \"{}\"", side));
        return *parse_compatibility_level(a) <=> *parse_compatibility_level(b);
    }
    const auto number = [](std::string_view text) {
        return !text.empty() && std::ranges::all_of(text, base::is_digit) ? base::parse_number<std::int64_t>(text)
                                                                          : std::nullopt;
    };
    if (const auto x = number(a), y = number(b); x && y) return *x <=> *y;
    return a.compare(b) <=> 0;
}

std::string domain_to_ascii(std::string_view domain)
{
    if (base::is_ascii(domain)) return std::string(domain);
    char* ascii = nullptr;
    const std::string text(domain);
    if (idn2_to_ascii_8z(text.c_str(), &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
        throw NoDomainName(fmt::format("domain_to_ascii: not a valid domain name: \"{}\"", domain));
    std::string result(ascii);
    idn2_free(ascii);
    return result;
}

// The reference that starts at text[at] == '$': its end, and its inside (brackets removed).
struct Reference {
    std::string_view body;
    std::size_t end = 0;
    bool is_bracketed = false;
};

Reference find_reference(std::string_view text, std::size_t at)
{
    const auto rest = text.substr(at + 1);
    if (rest.starts_with('{') || rest.starts_with('(')) {
        const char open = rest.front();
        const auto end = end_of_group(rest, open, open == '{' ? '}' : ')');
        if (!end) throw ExpandError(fmt::format("truncated macro reference: \"{}\"", text));
        const auto body = rest.substr(1, *end - 2);
        if (base::trim(body).empty()) throw ExpandError(fmt::format("empty macro name: \"{}\"", text));
        return {body, at + 1 + *end, true};
    }
    std::size_t length = 0;
    while (length < rest.size() && is_name_character(rest[length])) ++length;
    if (length == 0) throw ExpandError(fmt::format("empty macro name: \"{}\"", text));
    return {rest.substr(0, length), at + 1 + length, false};
}

class Expander {
public:
    Expander(const NameLookup& lookup, const ExpandLimits& limits) : lookup_(lookup), limits_(limits) {}

    std::string run(std::string_view text, int depth)
    {
        std::string out;
        std::size_t at = 0;
        while (at < text.size()) {
            const auto dollar = text.find('$', at);
            out += text.substr(at, dollar - at);
            check_size(out);
            if (dollar == std::string_view::npos) break;
            if (dollar + 1 < text.size() && text[dollar + 1] == '$') {
                out += '$';
                at = dollar + 2;
                continue;
            }
            const auto reference = find_reference(text, dollar);
            out += value_of(reference, depth);
            check_size(out);
            at = reference.end;
        }
        return out;
    }

private:
    void check_size(const std::string& text) const
    {
        if (text.size() > limits_.size)
            throw ExpandError(fmt::format("macro expansion is larger than {} bytes", limits_.size));
    }

    std::string value_of(const Reference& reference, int depth)
    {
        if (++steps_ > limits_.steps)
            throw ExpandError(fmt::format("macro expansion needs more than {} steps", limits_.steps));
        if (depth >= limits_.depth)
            throw ExpandError(fmt::format("unreasonable macro call nesting: \"{}\"", base::trim(reference.body)));
        auto rest = reference.body;
        skip_blanks(rest);
        if (!reference.is_bracketed) return named(rest, depth);
        return rest.starts_with('{') ? comparison(rest, depth) : conditional(rest, depth);
    }

    std::string named(std::string_view name, int depth)
    {
        const auto value = lookup_(name);
        return value ? run(*value, depth + 1) : std::string();
    }

    // name, name?…, name:…, function{argument}
    std::string conditional(std::string_view rest, int depth)
    {
        const auto whole = rest;
        std::size_t length = 0;
        while (length < rest.size() && is_name_character(rest[length])) ++length;
        const auto name = rest.substr(0, length);
        rest.remove_prefix(length);
        if (name == "domain_to_ascii" && rest.starts_with('{')) {
            const auto argument = take_group(rest);
            if (!base::trim(rest).empty()) fail_at("unexpected input", argument, rest);
            return domain_to_ascii(run(argument, depth + 1));
        }
        skip_blanks(rest);
        if (name.empty() || (!rest.empty() && rest.front() != '?' && rest.front() != ':'))
            fail_at("attribute name syntax error", whole.substr(0, length), rest);
        if (rest.empty()) return named(name, depth);
        return branches(whole.substr(0, length), rest, !named(name, depth).empty(), depth);
    }

    // {a} op {b}, alone or with branches
    std::string comparison(std::string_view rest, int depth)
    {
        const auto whole = rest;
        const auto read = [&] {
            return whole.substr(1, static_cast<std::size_t>(rest.data() - whole.data()) - 1);
        };
        const auto left = take_group(rest);
        const auto after_left = read();
        skip_blanks(rest);
        const auto found = std::ranges::find_if(operators, [&](const Operator& o) { return rest.starts_with(o.text); });
        if (found == operators.end()) fail_at(comparison_names, after_left, rest);
        auto behind = rest.substr(found->text.size());
        const bool is_level = behind.starts_with("level");
        if (is_level) behind.remove_prefix(5);
        skip_blanks(behind);
        if (!behind.starts_with('{')) fail_at(comparison_names, after_left, rest);
        rest = behind;
        const auto right = take_group(rest);
        skip_blanks(rest);
        const auto a = run(left, depth + 1);
        const auto b = run(right, depth + 1);
        const bool holds = found->holds(compare(a, b, is_level));
        if (rest.empty()) return holds ? "true" : "";
        if (rest.front() != '?' && rest.front() != ':') fail_at("\"?\" or \":\" expected", "}", rest);
        return branches(read(), rest, holds, depth);
    }

    // `rest` starts with '?' or ':'. A branch is a `{ … }` group or plain text to the end.
    std::string branches(std::string_view before, std::string_view rest, bool holds, int depth)
    {
        std::optional<std::string_view> if_true, if_false;
        const auto take_branch = [&](std::optional<std::string_view>& branch) {
            rest.remove_prefix(1);
            auto inner = rest;
            skip_blanks(inner);
            if (!inner.starts_with('{')) {
                branch = rest;
                rest = {};
                return;
            }
            before = inner.substr(1);
            branch = take_group(inner);
            before = before.substr(0, branch->size() + 1);
            skip_blanks(inner);
            rest = inner;
        };
        if (rest.front() == '?') {
            take_branch(if_true);
            if (!rest.empty() && rest.front() != ':') fail_at("\":\" expected", before, rest);
        }
        if (!rest.empty()) {
            take_branch(if_false);
            if (!rest.empty()) fail_at("unexpected input", before, rest);
        }
        const auto& chosen = holds ? if_true : if_false;
        return chosen ? run(*chosen, depth + 1) : std::string();
    }

    const NameLookup& lookup_;
    const ExpandLimits& limits_;
    int steps_ = 0;
};

void visit_names(std::string_view text, const std::function<void(std::string_view)>& visit, int depth)
{
    if (depth > 100) return;
    for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at)) {
        if (at + 1 < text.size() && text[at + 1] == '$') {
            at += 2;
            continue;
        }
        const auto reference = find_reference(text, at);
        at = reference.end;
        auto rest = reference.body;
        skip_blanks(rest);
        std::size_t length = 0;
        while (length < rest.size() && is_name_character(rest[length])) ++length;
        const auto behind = base::trim(rest.substr(length));
        if (length > 0 && !behind.starts_with('{')) visit(rest.substr(0, length));
        // Conditions and branches: whatever they hold is text with references of its own.
        visit_names(rest.substr(length), visit, depth + 1);
    }
}

}  // namespace

std::string expand(std::string_view text, const NameLookup& lookup, const ExpandLimits& limits)
{
    if (text.find('$') == std::string_view::npos) return std::string(text);
    return Expander(lookup, limits).run(text, 0);
}

void for_each_name(std::string_view text, const std::function<void(std::string_view)>& visit)
{
    try {
        visit_names(text, visit, 0);
    } catch (const ExpandError&) {
        // Whoever expands the text reports it.
    }
}

}  // namespace ekiden::config
