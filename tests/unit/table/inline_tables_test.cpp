#include "support.hpp"

#include <unistd.h>

namespace ekiden::table {
namespace {

TEST(inline_tables, found_absent_and_failed)
{
    const struct {
        const char* spec;
        const char* key;
        const char* want;
    } cases[] = {
        {"static:bar", "foo", "bar"},
        {"static:{a b}", "foo", "a b"},
        {"static:", "x", "(not opened) open dictionary: expecting \"type:name\" form instead of \"static:\""},
        {"inline:{ x=y, {a = b c} }", "a", "b c"},
        {"inline:{ x=y, {a = b c} }", "X", "y"},
        {"inline:{ x=y x=z }", "x", "z"},
        {"inline:{x=y}", "z", "(absent)"},
        {"inline:{}", "x", "(not opened) bad syntax: \"inline:{}\"; need \"inline:{name=value...}\""},
        {"inline:{ x }", "x", "(not opened) missing '=' after attribute name: \"inline:{ x }\"; need \"inline:{name=value...}\""},
        {"inline:x=y", "x", "(not opened) bad syntax: \"inline:x=y\"; need \"inline:{name=value...}\""},
        {"fail:foo", "x", "(trouble) Application error"},
        {"unionmap:{inline:{x=a},static:b}", "x", "a,b"},
        {"unionmap:{inline:{x=a},inline:{x=b}}", "y", "(absent)"},
        {"unionmap:{inline:{x=a},static:b,fail:c}", "x", "(trouble) Application error"},
        {"unionmap:{inline:{x=a}", "z", "(not opened) bad syntax: \"unionmap:{inline:{x=a}\"; need \"unionmap:{type:name...}\""},
        {"unionmap:{}", "z", "(not opened) bad syntax: \"unionmap:{}\"; need \"unionmap:{type:name...}\""},
        {"pipemap:{inline:{x=a},inline:{a=b}}", "x", "b"},
        {"pipemap:{inline:{x=a},inline:{b=b}}", "x", "(absent)"},
        {"pipemap:{inline:{x=a},fail:b}", "x", "(trouble) Application error"},
        {"pipemap:{foo}", "x", "(not opened) bad syntax: \"pipemap:{foo}\"; need \"pipemap:{type:name...}\""},
        {"unionmap:{static:a, mysql:/x}", "x", "(not opened) unsupported dictionary type: mysql (not in this release)"},
        {"pipemap:{nosuch:x}", "x", "(not opened) unsupported dictionary type: nosuch"},
        {"randmap:{a}", "x", "a"},
        {"randmap:{}", "x", "(not opened) bad syntax: \"randmap:{}\"; need \"randmap:{value...}\""},
        {"proxy:static:x", "k", "x"},
        {"proxy:nosuch:x", "k", "(not opened) unsupported dictionary type: nosuch"},
        {"internal:x", "k", "(absent)"},
        {"debug:inline:{k=v}", "k", "v"},
        {"debug:nosuch:x", "k", "(not opened) unsupported dictionary type: nosuch"},
        {"#", "k", "(not opened) open dictionary: expecting \"type:name\" form instead of \"#\""},
        {":x", "k", "(not opened) open dictionary: expecting \"type:name\" form instead of \":x\""},
        {"unix:foo", "k", "(not opened) unknown table: unix:foo"},
        {"unix:passwd.byname", "no such user at all", "(absent)"},
        {"environ:x", "EKIDEN_NO_SUCH_VARIABLE", "(absent)"},
    };
    for (const auto& c : cases) EXPECT_EQ(ask(c.spec, c.key), c.want) << c.spec << " " << c.key;
}

TEST(randmap, picks_each_value)
{
    auto opened = open_table("randmap:{a, b}");
    ASSERT_TRUE(opened);
    std::string seen;
    for (int i = 0; i < 200; ++i) {
        const std::string value = shown((*opened)->lookup("x"));
        if (!seen.contains(value)) seen += value;
    }
    EXPECT_TRUE(seen == "ab" || seen == "ba") << seen;
}

TEST(inline_rules, stand_in_the_name)
{
    struct Row {
        std::string_view spec, key, want;
    };
    for (const auto& [spec, key, want] : {
             Row{"regexp:{{/^[^A-Z]/ Bogus}}", "<script>", "Bogus"},
             Row{"regexp:{{/^[^A-Z]/ Bogus}}", "foo", "(absent)"},   // case does not matter without a flag
             Row{"regexp:{ {/a{2}/ two}, {/b(.)/ $1} }", "baa", "two"},
             Row{"regexp:{ {/a{2}/ two}, {/b(.)/ <$1>} }", "bz", "<z>"},
             Row{"pcre:{{if /^x/} {/y$/ both} {endif} {/y$/ end}}", "xy", "both"},
             Row{"pcre:{{if /^x/} {/y$/ both} {endif} {/y$/ end}}", "zy", "end"},
             Row{"pcre:{{/a/\nOK}}", "a", "OK"},
             Row{"cidr:{{192.0.2.0/24 DUNNO}, {0.0.0.0/0 REJECT no}}", "192.0.2.7", "DUNNO"},
             Row{"cidr:{{192.0.2.0/24 DUNNO}, {0.0.0.0/0 REJECT no}}", "198.51.100.1", "REJECT no"},
             Row{"unionmap:{regexp:{{/a/ 1}} static:2}", "a", "1,2"},
         }) {
        EXPECT_EQ(ask(spec, key), want) << spec << " " << key;
    }
    for (std::string_view spec :
         {"regexp:{}", "regexp:{/a/ b}", "pcre:{{/a/ b}", "cidr:{{192.0.2.1 x} y}", "cidr:{ }"}) {
        EXPECT_TRUE(ask(spec, "a").starts_with("(not opened) bad syntax: ")) << spec << ": " << ask(spec, "a");
    }
    auto opened = open_table("regexp:{{/a/ b}}");
    ASSERT_TRUE(opened);
    EXPECT_FALSE((*opened)->is_stale());
    EXPECT_TRUE((*opened)->has_patterns());
}

TEST(combined, nesting_is_bounded)
{
    std::string spec = "static:x";
    for (int i = 0; i < 40; ++i) spec = "unionmap:{" + spec + "}";
    EXPECT_TRUE(ask(spec, "k").starts_with("(not opened) table nesting is too deep: "));
}

TEST(environ, answers_from_the_environment)
{
    ::setenv("EKIDEN_TABLE_TEST", "value", 1);
    EXPECT_EQ(ask("environ:x", "EKIDEN_TABLE_TEST"), "value");
}

TEST(nis, is_empty_where_the_host_is_in_no_domain)
{
    char domain[65] = {};
    ASSERT_EQ(::getdomainname(domain, sizeof domain - 1), 0);
    if (domain[0] && std::string_view(domain) != "(none)") {
        EXPECT_EQ(ask("nis:mail.aliases", "root"),
                  "(not opened) unsupported dictionary type: nis, and this host is in the NIS domain " +
                      std::string(domain));
    } else {
        EXPECT_EQ(ask("nis:mail.aliases", "root"), "(absent)");
    }
}

TEST(unix_table, knows_root)
{
    EXPECT_TRUE(ask("unix:passwd.byname", "root").starts_with("root:"));
    EXPECT_TRUE(ask("unix:passwd.byname", "ROOT").starts_with("root:"));
    EXPECT_TRUE(ask("unix:group.byname", "root").starts_with("root:"));
    auto opened = open_table("unix:passwd.byname");
    ASSERT_TRUE(opened);
    EXPECT_TRUE((*opened)->lookup_at_once("root")) << "a local user never waits for a name service";
}

TEST(registry, knows_its_types)
{
    const auto types = known_types();
    EXPECT_TRUE(std::ranges::is_sorted(types));
    for (std::string_view type : types) EXPECT_TRUE(is_known_type(type)) << type;
    for (std::string_view type : {"", "foo", "inter", "Hash"}) EXPECT_FALSE(is_known_type(type)) << type;
}

}  // namespace
}  // namespace ekiden::table
