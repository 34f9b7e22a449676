#include "table/entry_grammar.hpp"

#include <gtest/gtest.h>

namespace ekiden::table {
namespace {

std::string shown(const std::expected<Entry, std::string>& entry)
{
    return entry ? "[" + entry->key + "][" + entry->value + "]" + (entry->remark.empty() ? "" : " " + entry->remark)
                 : entry.error();
}

TEST(parse_map_entry, keys_and_values)
{
    const struct {
        const char* line;
        const char* want;
    } cases[] = {
        {"Key1  value one ", "[Key1][value one]"},
        {"key5\ttab\tval", "[key5][tab\tval]"},
        {"key3 = x", "[key3][= x]"},
        {"\"key two\" v two", "[\"key two\"][v two]"},
        {"\"key\\\"q\" vq", "[\"key\\\"q\"][vq]"},
        {"\"a\"b vx", "[\"a\"b][vx]"},
        {"k\\ y backslash", "[k\\ y][backslash]"},
        {"\"\"  emptyq", "[\"\"][emptyq]"},
        {"key4", "expected format: key whitespace value"},
        {"key3:v", "expected format: key whitespace value"},
        {"", "expected format: key whitespace value"},
        {"\"unclosed v", "unbalanced '\"' in '\"unclosed v' -- ignoring this line"},
        {"key: v", "[key:][v] record is in \"key: value\" format; is this an alias file?"},
    };
    for (const auto& c : cases) EXPECT_EQ(shown(parse_map_entry(c.line)), c.want) << c.line;
}

TEST(parse_alias_entry, names_and_members)
{
    const struct {
        const char* line;
        const char* want;
    } cases[] = {
        {"root: user1", "[root][user1]"},
        {"\"quo ted\":   x", "[quo ted][x]"},
        {"\"a\\\"b\": y", "[a\"b][y]"},
        {"foo (comment): z2", "[foo (comment)][z2]"},
        {"<angle>: z4", "[<angle>][z4]"},
        {"list:   a,   b ,c  ,   \"|cmd  a b\" , :include:/x", "[list][a, b, c, \"|cmd  a b\", :include:/x]"},
        {"a:b: c", "[a][b:c]"},
        {"multi word: e", "[multi word][e]"},
        {"\"q\"r: d", "[q r][d]"},
        {"colon ::  f", "[colon][:f]"},
        {"trail: v # comment", "[trail][v # comment]"},
        {"zz: <a@b>, \"Name\" <c@d>", "[zz][<a@b>, \"Name\" <c@d>]"},
        {"b: a.b@c.d (comm) x\"y\"<z>w [1.2.3.4]x; y:z", "[b][a.b@c.d (comm) x \"y\" <z>w [1.2.3.4] x;y:z]"},
        {"c: \"unclosed", "[c][\"unclosed\"]"},
        {"e: a\\ b", "[e][\"a b\"]"},
        {"g: \"|a \\\"b\\\" c\"", "[g][\"|a \\\"b\\\" c\"]"},
        {"h: |\"/bin/x y\", | z", "[h][|\"/bin/x y\", |z]"},
        {"a@b: c", "name must be local"},
        {"k,l: m", "need name:value pair"},
        {": empty", "need name:value pair"},
        {"key:", "need name:value pair"},
        {"no colon", "need name:value pair"},
        {"", "need name:value pair"},
    };
    for (const auto& c : cases) EXPECT_EQ(shown(parse_alias_entry(c.line)), c.want) << c.line;
}

}  // namespace
}  // namespace ekiden::table
