// Engine and helper understand each other, or not at all.
#include "deliver/helper/protocol.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver {
namespace {

HelperRequest sample()
{
    HelperRequest r;
    r.number = 77;
    r.kind = HelperRequest::Kind::command;
    r.uid = 1000;
    r.gid = 100;
    r.path = "/home/a/Maildir/";
    r.prefix = "From x\n";
    r.content = std::string("a\0b", 3);
    r.line_end = "\r\n";
    r.quotes_dots = r.checks_owner = true;
    r.locks = 5;
    r.offset = 1ull << 40;
    r.arguments = {"/bin/sh", "", "x y"};
    r.environment = {{"USER", "a"}, {"EMPTY", ""}};
    r.unless = {"/home/a/.forward+x", "/home/a/.forward"};
    return r;
}

TEST(helper_protocol, brings_requests_and_answers_over)
{
    auto back = decode_request(encode(sample()));
    ASSERT_TRUE(back);
    EXPECT_EQ(encode(*back), encode(sample()));
    EXPECT_EQ(back->arguments, sample().arguments);
    EXPECT_EQ(back->unless, sample().unless);
    EXPECT_EQ(back->content.size(), 3u);
    EXPECT_TRUE(back->quotes_dots && back->checks_owner && !back->quotes_from && !back->is_in_spool);

    HelperAnswer answer;
    answer.number = 9;
    answer.kind = HelperAnswer::Kind::exited;
    answer.exit_status = -3;
    answer.mode = 0644;
    answer.changed_at = -1;
    answer.text = "text";
    HelperAnswer second;
    second.number = 10;
    second.kind = HelperAnswer::Kind::withheld;
    auto answered = decode_answers(encode(answer) + encode(second));
    ASSERT_TRUE(answered);
    ASSERT_EQ(answered->size(), 2u);
    EXPECT_EQ(encode(answered->front()), encode(answer));
    EXPECT_EQ(encode(answered->back()), encode(second));
}

TEST(helper_protocol, refuses_what_is_cut_off_or_too_long)
{
    std::string bytes = encode(sample());
    for (std::size_t n = 0; n < bytes.size(); ++n)
        EXPECT_FALSE(decode_request(std::string_view(bytes).substr(0, n))) << n;
    EXPECT_FALSE(decode_request(bytes + "x"));
    std::string answer = encode(HelperAnswer());
    for (std::size_t n = 0; n < answer.size(); ++n) {
        EXPECT_FALSE(decode_answers(std::string_view(answer).substr(0, n))) << n;
        if (n > 0) EXPECT_FALSE(decode_answers(answer + answer.substr(0, n))) << n << ": a second one is cut off";
    }

    HelperRequest r = sample();
    r.path = std::string("/a\0/b", 5);
    EXPECT_FALSE(decode_request(encode(r)));
    r = sample();
    r.environment = {{"A=B", "c"}};
    EXPECT_FALSE(decode_request(encode(r)));
    r = sample();
    r.arguments.assign(max_items + 1, "x");
    EXPECT_FALSE(decode_request(encode(r)));
    r = sample();
    r.unless.assign(max_items + 1, "x");
    EXPECT_FALSE(decode_request(encode(r)));
    r.unless = {std::string("/a\0/b", 5)};
    EXPECT_FALSE(decode_request(encode(r)));
    r = sample();
    r.kind = static_cast<HelperRequest::Kind>(9);
    EXPECT_FALSE(decode_request(encode(r)));
}

}  // namespace
}  // namespace ekiden::deliver
