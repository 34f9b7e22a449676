#include "smtp/reply.hpp"

#include <gtest/gtest.h>

namespace ekiden::smtp {
namespace {

TEST(Reply, formats)
{
    EXPECT_EQ(format(Reply(250, "2.1.0", "Ok")), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(format(Reply(250, "mail.example.com")), "250 mail.example.com\r\n");
    EXPECT_EQ(format(Reply(354, "")), "354 \r\n");
    Reply several(550, "5.7.1", "one");
    several.lines.push_back("two");
    EXPECT_EQ(format(several), "550-5.7.1 one\r\n550 5.7.1 two\r\n");
    EXPECT_EQ(one_line(several), "550-5.7.1 one 550 5.7.1 two");
}

TEST(Reply, a_text_cannot_forge_a_line)
{
    EXPECT_EQ(format(Reply(550, "5.1.1", "<a\r\n250 ok\x01>")), "550 5.1.1 <a  250 ok?>\r\n");
}

Reply parse(std::initializer_list<std::string_view> lines)
{
    ReplyParser parser;
    std::size_t fed = 0;
    for (auto line : lines) {
        const auto result = parser.feed(line);
        EXPECT_TRUE(result.has_value()) << line;
        EXPECT_EQ(result.value_or(false), ++fed == lines.size()) << line;
    }
    return parser.take();
}

TEST(ReplyParser, parses_replies)
{
    auto reply = parse({"250 2.1.0 Ok"});
    EXPECT_EQ(reply.code, 250);
    EXPECT_EQ(reply.enhanced, "2.1.0");
    EXPECT_EQ(reply.lines, std::vector<std::string>{"Ok"});

    reply = parse({"250-mail.example.com", "250-SIZE 1000", "250 8BITMIME"});
    EXPECT_EQ(reply.enhanced, "");
    EXPECT_EQ(reply.lines, (std::vector<std::string>{"mail.example.com", "SIZE 1000", "8BITMIME"}));

    reply = parse({"550-5.7.1 First line of refusal\r\n", "550-5.7.1 second line", "550 5.7.1 last line"});
    EXPECT_EQ(one_line(reply), "550-5.7.1 First line of refusal 550-5.7.1 second line 550 5.7.1 last line");

    reply = parse({"250"});
    EXPECT_EQ(reply.lines, std::vector<std::string>{""});
    reply = parse({"550 4.1.1 code of another class is text"});
    EXPECT_EQ(reply.enhanced, "");

    reply = parse({"250-2.1.0 first", "550-5.7.1 second", "550 5.7.9 last"});
    EXPECT_EQ(reply.code, 550);
    EXPECT_EQ(reply.enhanced, "5.7.9");
    EXPECT_EQ(one_line(reply), "250-2.1.0 first 550-5.7.1 second 550 5.7.9 last");
    EXPECT_EQ(one_line(parse({"250 o\x01k "})), "250 o?k");
}

TEST(ReplyParser, passes_over_what_is_no_reply)
{
    for (std::string_view line : {"", "25", "hello", "2500 x", "250x", "x250 x"}) {
        ReplyParser parser;
        EXPECT_FALSE(parser.feed(line).value_or(true)) << line;
        EXPECT_EQ(parser.take_stray(), std::string(line));
        EXPECT_FALSE(parser.feed("more").value_or(true));
        EXPECT_EQ(parser.take_stray(), std::nullopt);
        EXPECT_TRUE(parser.feed("250 2.0.0 ok").value_or(false));
        const auto reply = parser.take();
        EXPECT_EQ(reply.code, 250);
        EXPECT_EQ(reply.enhanced, "2.0.0");
        EXPECT_EQ(one_line(reply), std::string(line) + (line.empty() ? "" : " ") + "more 250 2.0.0 ok");
    }
    ReplyParser parser;
    int fed = 0;
    while (parser.feed("hello").has_value()) ASSERT_LT(++fed, 10'000);
    EXPECT_TRUE(parser.feed("hello").error().is(ErrorCode::protocol));
}

TEST(ReplyParser, is_bounded)
{
    ReplyParser parser;
    ASSERT_TRUE(parser.feed("250-" + std::string(10000, 'x')).has_value());
    bool has_ended = false;
    for (int i = 0; i < 100000 && !has_ended; ++i) has_ended = !parser.feed("250-x").has_value();
    EXPECT_TRUE(has_ended);
    const auto reply = parser.take();
    EXPECT_EQ(reply.lines.size(), max_reply_lines);
    EXPECT_EQ(reply.lines[0].size(), max_reply_line);
}

}  // namespace
}  // namespace ekiden::smtp
