#include "report/delivery_log.hpp"

#include <gtest/gtest.h>

namespace ekiden::report {
namespace {

using namespace std::chrono_literals;
using deliver::Outcome;

TEST(FormatDelay, TwoSignificantDigits)
{
    struct {
        std::int64_t micros;
        int digits;
        const char* want;
    } rows[] = {
        {0, 2, "0"}, {-5, 2, "0"}, {4'999, 2, "0"}, {5'000, 2, "0.01"}, {12'345, 2, "0.01"}, {20'000, 2, "0.02"}, {96'000, 2, "0.1"}, {100'000, 2, "0.1"},
        {855'000, 2, "0.86"}, {860'000, 2, "0.86"}, {999'000, 2, "1"}, {1'000'000, 2, "1"}, {1'049'000, 2, "1"}, {1'050'000, 2, "1.1"}, {1'300'000, 2, "1.3"},
        {9'949'000, 2, "9.9"}, {9'960'000, 2, "10"}, {10'000'000, 2, "10"}, {10'400'000, 2, "10"}, {15'000'000, 2, "15"}, {15'600'000, 2, "16"},
        {432'000'000'000, 2, "432000"}, {12'345, 3, "0.012"}, {1'234, 6, "0.0012"}, {1'234, 0, "0"}, {1'600'000, 0, "2"},
    };
    for (const auto& row : rows) EXPECT_EQ(format_delay(Duration(row.micros), row.digits), row.want) << row.micros;
}

class DeliveryLine : public testing::Test {
protected:
    DeliveryLine()
    {
        auto envelope = std::make_shared<mail::Envelope>();
        envelope->arrived_at = start;
        envelope->recipients = {{.address = "perm@ok.test"},
                                {.address = "user1@mail.golden.test", .original = "user1"},
                                {.address = "./foo@mail.golden.test", .original = "rel@golden.test"},
                                {.address = "a b@x.test", .original = "A B@X.test"}};
        job.envelope = envelope;
        job.active_at = start + 10ms;
        job.started_at = start + 30ms;
    }
    WallTime start{std::chrono::sys_seconds(std::chrono::seconds(1795325844))};
    deliver::Job job;
};

TEST_F(DeliveryLine, RemoteBounce)
{
    Outcome o;
    o.kind = Outcome::Kind::bounced;
    o.status = {"5.1.1",
                "host mx.remote.test[127.0.0.25] said: 550 5.1.1 No such user here (in reply to RCPT TO command)"};
    o.relay = "mx.remote.test[127.0.0.25]:2525";
    o.connect_started_at = start + 30ms;
    o.connected_at = start + 40ms;
    o.ended_at = start + 41ms;
    EXPECT_EQ(
        format_delivery(job, o),
        "to=<perm@ok.test>, relay=mx.remote.test[127.0.0.25]:2525, delay=0.04, delays=0.01/0.02/0.01/0, dsn=5.1.1, "
        "status=bounced (host mx.remote.test[127.0.0.25] said: 550 5.1.1 No such user here (in reply to RCPT TO command))");
    o.connection_uses = 1;
    EXPECT_EQ(format_delivery(job, o).find("conn_use"), std::string::npos);
    o.connection_uses = 3;
    EXPECT_NE(format_delivery(job, o).find("relay=mx.remote.test[127.0.0.25]:2525, conn_use=3, delay=0.04"),
              std::string::npos);
}

TEST_F(DeliveryLine, a_message_that_only_asks_is_deliverable_or_not)
{
    auto asking = std::make_shared<mail::Envelope>(*job.envelope);
    Outcome o;
    o.status = {"2.0.0", "delivers to maildir"};
    o.ended_at = start;
    struct {
        mail::Purpose purpose;
        Outcome::Kind kind;
        const char* want;
    } rows[] = {
        {mail::Purpose::verify, Outcome::Kind::delivered, "status=deliverable ("}, {mail::Purpose::probe, Outcome::Kind::delivered, "status=deliverable ("},
        {mail::Purpose::verify, Outcome::Kind::bounced, "status=undeliverable ("}, {mail::Purpose::probe, Outcome::Kind::deferred, "status=undeliverable ("},
        {mail::Purpose::trace, Outcome::Kind::delivered, "status=sent ("},         {mail::Purpose::trace, Outcome::Kind::deferred, "status=deferred ("},
    };
    for (const auto& row : rows) {
        asking->purpose = row.purpose;
        job.envelope = asking;
        o.kind = row.kind;
        EXPECT_NE(format_delivery(job, o).find(row.want), std::string::npos) << row.want;
    }
}

TEST_F(DeliveryLine, LocalWithOriginal)
{
    Outcome o;
    o.kind = Outcome::Kind::delivered;
    o.recipient = 1;
    o.status = {"2.0.0", "delivered to maildir"};
    o.relay = "local";
    o.ended_at = start + 50ms;
    EXPECT_EQ(
        format_delivery(job, o),
        "to=<user1@mail.golden.test>, orig_to=<user1>, relay=local, delay=0.05, delays=0.01/0.02/0/0.02, dsn=2.0.0, status=sent (delivered to maildir)");
    o.recipient_address = "alice@mail.golden.test";
    o.original_address = "list@golden.test";
    EXPECT_TRUE(
        format_delivery(job, o).starts_with("to=<alice@mail.golden.test>, orig_to=<list@golden.test>, relay=local"));
}

TEST_F(DeliveryLine, QuotesAndSkipsEqualOriginal)
{
    Outcome o;
    o.kind = Outcome::Kind::bounced;
    o.recipient = 2;
    o.status = {"5.1.1", "unknown user: \"./foo\""};
    o.relay = "local";
    o.ended_at = start + 30ms;
    EXPECT_TRUE(format_delivery(job, o).starts_with(
        "to=<\"./foo\"@mail.golden.test>, orig_to=<rel@golden.test>, relay=local, delay=0.03"))
        << format_delivery(job, o);
    o.recipient = 3;
    EXPECT_TRUE(format_delivery(job, o).starts_with("to=<\"a b\"@x.test>, relay=")) << format_delivery(job, o);
}

TEST_F(DeliveryLine, ConnectionThatFailed)
{
    Outcome o;
    o.status = {"4.4.1", "connect to 127.0.0.26[127.0.0.26]:2525: Connection refused"};
    o.connect_started_at = start + 20ms;
    o.ended_at = start + 30'020ms;
    EXPECT_EQ(
        format_delivery(job, o),
        "to=<perm@ok.test>, relay=none, delay=30, delays=0.01/0.01/30/0, dsn=4.4.1, status=deferred (connect to 127.0.0.26[127.0.0.26]:2525: Connection refused)");
}

}  // namespace
}  // namespace ekiden::report
