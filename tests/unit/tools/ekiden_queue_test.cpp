// Filters, command line and output of `ekiden queue`.
#include "tools/ekiden_queue_options.hpp"
#include "tools/ekiden_queue_view.hpp"

#include <gtest/gtest.h>

namespace ekiden::tools {
namespace {

constexpr std::int64_t now = 1'700'000'000;

constexpr std::string_view line =
    R"({"queue_name": "deferred", "queue_id": "4gTk8R1dQhz1", "arrival_time": 1699990000, "message_size": 2048, "forced_expire": false, )"
    R"("sender": "\"odd name\"@b.example", "recipients": [{"address": "c@d.example", "delay_reason": "connect to d.example: Connection timed out"}, )"
    R"({"address": "e@sub.f.example"}], "client_name": "mx.b.example", "client_address": "192.0.2.7", "attempts": 3})";

QueueEntry entry()
{
    auto parsed = parse_queue_entry(line);
    EXPECT_TRUE(parsed);
    return parsed.value_or(QueueEntry{});
}

TEST(QueueEntry, IsReadFromTheListing)
{
    const QueueEntry found = entry();
    EXPECT_EQ(found.queue_name, "deferred");
    EXPECT_EQ(found.sender, "odd name@b.example");
    EXPECT_EQ(found.size, 2048u);
    ASSERT_EQ(found.recipients.size(), 2u);
    EXPECT_EQ(found.recipients[1].address, "e@sub.f.example");
    EXPECT_EQ(found.client_address, "192.0.2.7");
    for (std::string_view bad :
         {"", "{", "[]", "{\"queue_id\": \"X\"}", "{\"queue_name\": \"hold\", \"queue_id\": \"X\"}", "null"})
        EXPECT_FALSE(parse_queue_entry(bad)) << bad;
    const auto bounce =
        parse_queue_entry(R"({"queue_name": "hold", "queue_id": "X", "sender": "MAILER-DAEMON", "recipients": []})");
    ASSERT_TRUE(bounce);
    EXPECT_EQ(bounce->sender, "");
}

TEST(QueueFilter, HoldsOrDoesNot)
{
    const struct {
        std::vector<std::string> words;
        bool matches;
    } rows[] = {
        {{"list"}, true},
        {{"list", "--sender", "*@b.example"}, true},
        {{"list", "--sender", "*@B.EXAMPLE"}, true},
        {{"list", "--sender", "*@c.example"}, false},
        {{"list", "--sender", "<>"}, false},
        {{"list", "--sender", "*"}, true},
        {{"list", "--recipient", "e@*"}, true},
        {{"list", "--recipient", "x@*", "--recipient", "c@d.example"}, true},
        {{"list", "--domain", "d.example"}, true},
        {{"list", "--domain", "f.example"}, false},
        {{"list", "--domain", "*.f.example"}, true},
        {{"list", "--reason", "TIMED OUT"}, true},
        {{"list", "--reason", "refused"}, false},
        {{"list", "--older", "2h"}, true},
        {{"list", "--older", "3h"}, false},
        {{"list", "--younger", "3h"}, true},
        {{"list", "--younger", "2h"}, false},
        {{"list", "--size", "+1k"}, true},
        {{"list", "--size", "+2k"}, false},
        {{"list", "--size", "-1M"}, true},
        {{"list", "--size", "2k"}, true},
        {{"list", "--queue", "deferred"}, true},
        {{"list", "--queue", "hold"}, false},
        {{"list", "--queue", "hold", "--queue", "deferred"}, true},
        {{"list", "--client", "192.0.2.0/24"}, true},
        {{"list", "--client", "192.0.2.8"}, false},
        {{"list", "--client", "*.b.example"}, true},
        {{"list", "4gTk8R1dQhz1"}, true},
        {{"list", "4gTk8R1dQjz1"}, false},
        {{"list", "--sender", "*@b.example", "--reason", "refused"}, false},
    };
    for (const auto& row : rows) {
        const auto options = parse_queue_options(row.words);
        ASSERT_TRUE(options) << options.error().text();
        EXPECT_EQ(options->filter.matches(entry(), now), row.matches) << testing::PrintToString(row.words);
    }
}

TEST(QueueFilter, FindsBouncesByEveryNameOfTheNullSender)
{
    QueueEntry bounce = entry();
    bounce.sender.clear();
    for (const char* name : {"", "<>", "mailer-daemon", "*"}) {
        QueueFilter filter;
        filter.senders = {name};
        EXPECT_TRUE(filter.matches(bounce, now)) << name;
    }
    QueueFilter filter;
    filter.senders = {"*@*"};
    EXPECT_FALSE(filter.matches(bounce, now));
}

TEST(QueueFilter, KnowsDestinations)
{
    EXPECT_TRUE(fits_destination("smtp", "[mx.example]:25", "smtp"));
    EXPECT_TRUE(fits_destination("smtp", "example.com", "Example.com"));
    EXPECT_TRUE(fits_destination("relay", "example.com", "relay:example.*"));
    EXPECT_FALSE(fits_destination("relay", "example.com", "smtp:example.com"));
    EXPECT_TRUE(fits_destination("smtp", "[mx.example]:25", "[MX.example]:25"));
    EXPECT_TRUE(fits_destination("smtp", "[mx.example]:25", "smtp:[mx.example]:25"));
    EXPECT_TRUE(fits_destination("smtp", "[mx.example]:25", "mx.example"));
    EXPECT_TRUE(fits_destination("smtp", "[mx.example]:25", "smtp:*.example"));
    EXPECT_FALSE(fits_destination("smtp", "[mx.example]:25", "[mx.example]:587"));
    EXPECT_FALSE(fits_destination("smtp", "[mx.example]:25", "x.example"));
}

TEST(QueueOptions, RefuseWhatIsNotMeant)
{
    const struct {
        std::vector<std::string> words;
        std::string text;
    } rows[] = {
        {{}, "what is to be done?"},
        {{"remove"}, "there is no command remove"},
        {{"delete"}, "--all deletes every message"},
        {{"delete", "--all", "--sender", "x"}, "contradict"},
        {{"list", "--older", "soon"}, "not an age"},
        {{"list", "--older"}, "needs a value"},
        {{"list", "--size", "+big"}, "not a size"},
        {{"list", "--queue", "bounce"}, "there is no queue"},
        {{"list", "--sort", "colour"}, "--sort wants"},
        {{"list", "--limit", "0"}, "--limit wants"},
        {{"list", "--jsn"}, "there is no option"},
        {{"list", "../etc"}, "not a queue id"},
    };
    for (const auto& row : rows) {
        const auto options = parse_queue_options(row.words);
        ASSERT_FALSE(options) << row.text;
        EXPECT_NE(options.error().text().find(row.text), std::string::npos) << options.error().text();
    }
    EXPECT_TRUE(parse_queue_options({"delete", "--all"}));
    EXPECT_TRUE(parse_queue_options({"hold"}));
    const auto sorted = parse_queue_options({"list", "--sort=-size", "--limit=5", "--dry-run", "--json"});
    ASSERT_TRUE(sorted);
    EXPECT_TRUE(sorted->is_reversed && sorted->is_dry && sorted->is_json && sorted->limit == 5 &&
                sorted->sort == QueueSort::size);
}

TEST(QueueVerb, LeavesAloneWhatItDoesNotApplyTo)
{
    EXPECT_TRUE(row_of(QueueVerb::release).may_take("hold"));
    EXPECT_FALSE(row_of(QueueVerb::release).may_take("deferred"));
    EXPECT_FALSE(row_of(QueueVerb::hold).may_take("hold"));
    EXPECT_FALSE(row_of(QueueVerb::flush).may_take("hold"));
    EXPECT_TRUE(row_of(QueueVerb::remove).may_take("hold"));
}

TEST(QueueView, IsOneLineForAMessage)
{
    EXPECT_EQ(
        show_entry(entry(), now),
        "4gTk8R1dQhz1    deferred    2h   2.0K  \"odd name\"@b.example -> c@d.example (+1): connect to d.example: Connection timed out\n");
    EXPECT_EQ(show_age(59), "59s");
    EXPECT_EQ(show_age(3 * 86400), "3d");
    EXPECT_EQ(show_age(-5), "0s");
    EXPECT_EQ(show_size(1023), "1023");
    EXPECT_EQ(show_size(35u << 20), "35M");
}

TEST(QueueView, ShowsHowFarItHasCome)
{
    EXPECT_EQ(show_progress("deleting", 0, 10), "deleting [>                             ] 0/10");
    EXPECT_EQ(show_progress("deleting", 10, 10), "deleting [==============================] 10/10");
    EXPECT_EQ(show_progress("deleting", 0, 0), "deleting [>                             ] 0/0");
}

}  // namespace
}  // namespace ekiden::tools
