#include "tools/queue_shape.hpp"

#include <gtest/gtest.h>

namespace ekiden::tools {

namespace {

std::string line_of(const std::string& sender, std::int64_t time, const std::string& recipients)
{
    return R"({"queue_name": "deferred", "queue_id": "4Zabc", "arrival_time": )" + std::to_string(time) +
           R"(, "message_size": 1, "forced_expire": false, "sender": ")" + sender + R"(", "recipients": [)" +
           recipients + "]}";
}

QueuedMessage message(std::string sender, std::int64_t time, std::vector<std::string> recipients)
{
    return {"deferred", std::move(sender), time, std::move(recipients)};
}

}  // namespace

TEST(QueueShape, ReadsTheListing)
{
    const auto read = parse_queued(line_of(
        "a\\\"b@c.test", 1700000000,
        R"({"address": "x@y.test", "delay_reason": "said: {\"address\": \"no@where\"}"}, {"address": "z@y.test"})"));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->queue_name, "deferred");
    EXPECT_EQ(read->sender, "a\"b@c.test");
    EXPECT_EQ(read->arrival_time, 1700000000);
    EXPECT_EQ(read->recipients, (std::vector<std::string>{"x@y.test", "z@y.test"}));
    for (const auto bad : {"", "{}", "not json", R"({"queue_name": "x", "sender": "y"})",
                           R"({"queue_name": "x", "sender": "y", "arrival_time": x})"})
        EXPECT_FALSE(parse_queued(bad)) << bad;
}

TEST(QueueShape, AnEmptyQueueHasItsHeadings)
{
    ShapeOptions options;
    EXPECT_EQ(QueueShape(options).table(),
              "                                         T  5 10 20 40 80 160 320 640 1280 1280+\n"
              "                                  TOTAL  0  0  0  0  0  0   0   0   0    0     0\n");
    options.buckets = 4;
    options.first_minutes = 10;
    options.is_linear = true;
    EXPECT_EQ(QueueShape(options).table(),
              "                                                                  T 10 20 30 30+\n"
              "                                                           TOTAL  0  0  0  0   0\n");
    options = {};
    options.buckets = 3;
    EXPECT_EQ(QueueShape(options).table(),
              "                                                                     T  5 10 10+\n"
              "                                                              TOTAL  0  0  0   0\n");
}

TEST(QueueShape, CountsRecipientsByDomainAndAge)
{
    ShapeOptions options;
    options.buckets = 3;
    options.width = 40;
    QueueShape shape(options);
    shape.add(message("a@b.test", 1000, {"x@C.test", "y@c.test"}), 1000 + 299);
    shape.add(message("a@b.test", 1000, {"x@d.test"}), 1000 + 300);
    shape.add(message("a@b.test", 1000, {"x@c.test", "nobody"}), 1000 + 600);
    shape.add(message("a@b.test", 5000, {"x@c.test"}), 1000);      // a clock that went back
    EXPECT_EQ(shape.table(), "                             T  5 10 10+\n"
                             "                      TOTAL  6  3  1   2\n"
                             "                     c.test  4  3  0   1\n"
                             "                     d.test  1  0  1   0\n"
                             "                      local  1  0  0   1\n");
}

TEST(QueueShape, CountsSendersAndParents)
{
    ShapeOptions options;
    options.buckets = 1;
    options.by_sender = options.has_parents = true;
    options.min_subdomains = 2;
    options.width = 26;
    QueueShape shape(options);
    for (const auto sender : {"a@one.p.test", "b@two.p.test", "c@two.p.test", "MAILER-DAEMON"})
        shape.add(message(sender, 0, {"x@y.test", "z@y.test"}), 60);
    EXPECT_EQ(shape.table(), "                      T 0+\n"
                             "               TOTAL  4  4\n"
                             "             .p.test  3  3\n"
                             "          two.p.test  2  2\n"
                             "       MAILER-DAEMON  1  1\n"
                             "          one.p.test  1  1\n");
}

TEST(QueueShape, LongNamesLoseTheirBeginning)
{
    ShapeOptions options;
    options.buckets = 1;
    options.width = 20;
    options.most_rows = 1;
    QueueShape shape(options);
    shape.add(message("a@b.test", 0,
                      {"x@a-very-long-name-of-a-domain.example", "y@b.test", "y@a-very-long-name-of-a-domain.example"}),
              0);
    EXPECT_EQ(shape.table(), "                    T 0+\n"
                             "             TOTAL  3  3\n"
                             "+-a-domain.example  2  2\n");
}

}  // namespace ekiden::tools
