// The right-hand sides that users and administrators write.
#include "deliver/local/targets.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver {
namespace {

constexpr auto address = Target::Kind::address, command = Target::Kind::command, file = Target::Kind::file,
               include = Target::Kind::include;

struct Case {
    std::string_view text;
    std::vector<Target> targets;
};
const Case cases[] = {
    {"user1, user2,\n   alice", {{address, "user1"}, {address, "user2"}, {address, "alice"}}},
    {"user1 user2", {{address, "user1"}, {address, "user2"}}},
    {"\"|(cat; env | sort) > /tmp/x, y\"", {{command, "(cat; env | sort) > /tmp/x, y"}}},
    {"\"|echo \\\"a b\\\"\", x@y.test", {{command, "echo \"a b\""}, {address, "x@y.test"}}},
    {"|\"exit 67\"", {{command, "exit 67"}}},
    {"|\"echo a, \\\"b\\\"\", fred", {{command, "echo a, \"b\""}, {address, "fred"}}},
    {"|\"/bin/x\" y", {{command, "\"/bin/x\" y"}}},
    {"|/usr/bin/vacation fred, fred", {{command, "/usr/bin/vacation fred"}, {address, "fred"}}},
    {"/dev/null", {{file, "/dev/null"}}},
    {"\"/var/mail/a b\"", {{file, "/var/mail/a b"}}},
    {":include:/etc/list", {{include, "/etc/list"}}},
    {":include: /etc/list, bob", {{include, "/etc/list"}, {address, "bob"}}},
    {"\":INCLUDE:/etc/list\"", {{include, "/etc/list"}}},
    {"\\fwd, \"|cmd\", user2@golden.test", {{address, "\\fwd"}, {command, "cmd"}, {address, "user2@golden.test"}}},
    {"./foo", {{address, "./foo"}}},
    {":nosuch:/x", {{address, ":nosuch:/x"}}},
    {"Joe User <joe@x.test>, \"a b\"@c.test", {{address, "joe@x.test"}, {address, "a b@c.test"}}},
    {"\"Joe, User\" <joe@x.test>", {{address, "joe@x.test"}}},
    {"joe@x.test (a comment, with a comma), bob", {{address, "joe@x.test"}, {address, "bob"}}},
    {"", {}},
    {" , ,\n", {}},
    {"\"", {}},
    {"\"\"", {}},
};

TEST(parse_targets, understands_every_form)
{
    for (const Case& c : cases) {
        auto targets = parse_targets(c.text);
        ASSERT_EQ(targets.size(), c.targets.size()) << c.text;
        for (std::size_t i = 0; i < targets.size(); ++i) {
            EXPECT_EQ(targets[i].text, c.targets[i].text) << c.text;
            EXPECT_EQ(targets[i].kind, c.targets[i].kind) << c.text;
        }
    }
}

TEST(parse_target_lines, leaves_out_comments_and_breaks_long_lines)
{
    auto targets = parse_target_lines("# comment, not@me\nuser1\n  # another\nuser2@golden.test, alice", 2048);
    ASSERT_EQ(targets.size(), 3u);
    EXPECT_EQ(targets[2].text, "alice");
    EXPECT_EQ(parse_target_lines("aaaa,bbbb", 5).size(), 2u);
    EXPECT_TRUE(parse_target_lines("", 2048).empty());
}

}  // namespace
}  // namespace ekiden::deliver
