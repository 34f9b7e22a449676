#include "config/expand.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>

namespace ekiden::config {
namespace {

const std::map<std::string, std::string, std::less<>> values{
    {"a", "x"},       {"empty", ""},     {"nested", "<$a>"},       {"level", "3.6"},  {"ten", "10"},
    {"nine", "9"},    {"loop", "$loop"}, {"back", "$forth"},       {"forth", "$back"}, {"dollar", "$$a"},
};

std::optional<std::string_view> find(std::string_view name)
{
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

std::string expanded(std::string_view text)
{
    try {
        return expand(text, find);
    } catch (const ExpandError& error) {
        return "error: " + error.warning();
    }
}

TEST(Expand, forms)
{
    struct Case {
        std::string_view text, want;
    };
    const Case cases[] = {
        {"plain", "plain"},
        {"$a ${a} $(a) ${ a }", "x x x x"},
        {"$a-b.$a", "x-b.x"},
        {"$nested", "<x>"},
        {"$$a $$", "$a $"},
        {"$nosuch.", "."},
        {"${a?yes}${a:no}${empty?yes}${empty:no}${nosuch?yes}${nosuch:no}", "yesnono"},
        {"${a?{yes}:{no}}${empty?{yes}:{no}}${a ? {yes} : {no}}", "yesnoyes"},
        {"${empty: b }z", " b z"},
        {"${empty?{  a  }  :  b  }z", "  b  z"},
        {"${a?{  a  }}z", "  a  z"},
        {"${a?b}:{c}", "b:{c}"},
        {"${a?${empty:$nested}}", "<x>"},
        {"${{$a} == {x}?same}${{$a} != {x}?other}", "same"},
        {"${{ x } == {x}?same}", ""},
        {"${{$ten} < {$nine} ? {less} : {more}}", "more"},
        {"${{10a} < {9} ? {less} : {more}}", "less"},
        {"${{b}>{a}?y:z}", "y:z"},
        {"${{a}=={b}:{no}}", "no"},
        {"${{a}=={a}}${{a}=={b}}", "true"},
        {"${{010} == {10} ? {y} : {z}}", "y"},
        {"${{$level} <level {3.10} ? {old} : {new}}", "old"},
        {"${{3.6}>=level{3.10}?{y}:{z}}${{3}<=level{3.10}?{y}:{z}}${{3.10}<level{3.9.1}?{y}:{z}}", "zyz"},
        {"${domain_to_ascii{$a.test}}", "x.test"},
        {"${domain_to_ascii{b\xc3\xbc""cher.test}}", "xn--bcher-kva.test"},
    };
    for (const auto& row : cases) EXPECT_EQ(expanded(row.text), row.want) << row.text;
}

TEST(Expand, refuses_with_the_words_of_postfix)
{
    struct Case {
        std::string_view text, want;
    };
    const Case cases[] = {
        {"${a", "truncated macro reference: \"${a\""},
        {"x, ${a?{b:{c}d}", "truncated macro reference: \"x, ${a?{b:{c}d}\""},
        {"${}x", "empty macro name: \"${}x\""},
        {"$()x", "empty macro name: \"$()x\""},
        {"a, $ b", "empty macro name: \"a, $ b\""},
        {"${my-host}", "attribute name syntax error at: \"...my>>>-host\""},
        {"${(x)}", "attribute name syntax error at: \"...>>>(x)\""},
        {"${a?{b}{c}}", "\":\" expected at: \"...b}>>>{c}\""},
        {"${a?{b}:{c}d}", "unexpected input at: \"...c}>>>d\""},
        {"$(a?{x)", "unbalanced {} in attribute expression: \"{x\""},
        {"${{a} = {b}?{c}}", "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected at: \"...a}>>>= {b}?{c}\""},
        {"${{a}=={b}{c}}", "\"?\" or \":\" expected at: \"...}>>>{c}\""},
        {"${{a.b}<level{3}?{y}}", "malformed compatibility level syntax: \"a.b\""},
        {"$loop", "unreasonable macro call nesting: \"loop\""},
    };
    for (const auto& row : cases) EXPECT_EQ(expanded(row.text), "error: " + std::string(row.want)) << row.text;
    EXPECT_TRUE(expanded("$back").starts_with("error: unreasonable macro call nesting"));
}

// Doubling chains would take 2^60 steps; the bounds end them at once.
TEST(Expand, work_is_bounded)
{
    std::map<std::string, std::string, std::less<>> chain;
    for (int i = 0; i < 60; ++i) {
        const auto next = std::to_string(i + 1);
        chain["v" + std::to_string(i)] = "$v" + next + "$v" + next;
        chain["e" + std::to_string(i)] = "${e" + next + "?$e" + next + "}$e" + next;
    }
    chain["v60"] = "x";
    chain["e60"] = "";
    const auto look = [&](std::string_view name) -> std::optional<std::string_view> {
        const auto found = chain.find(name);
        return found == chain.end() ? std::nullopt : std::optional<std::string_view>(found->second);
    };
    EXPECT_THROW(expand("$v0", look), ExpandError);
    EXPECT_THROW(expand("$e0", look), ExpandError);
    EXPECT_THROW(expand("$v40", look, {.size = 1000}), ExpandError);
    EXPECT_EQ(expand("$v50", look).size(), 1024u);
    std::string deep;
    for (int i = 0; i < 5000; ++i) deep += "${a?";
    deep += std::string(5000, '}');
    EXPECT_THROW(expand(deep, find), ExpandError);
}

TEST(Expand, finds_names_in_conditions_and_branches)
{
    std::vector<std::string> names;
    for_each_name("$a ${b?$c} ${{$d} == {x} ? {$e} : {$(f)}} $$g ${domain_to_ascii{$h}}",
                  [&](std::string_view name) { names.emplace_back(name); });
    EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c", "d", "e", "f", "h"}));
}

}  // namespace
}  // namespace ekiden::config
