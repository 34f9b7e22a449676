#include "queue/listing.hpp"
#include "unit/queue/queue_fixture.hpp"

#include <gtest/gtest.h>

namespace ekiden::queue {
namespace {

using test::Folder;

mail::Envelope message(std::string sender, std::vector<std::string> recipients)
{
    mail::Envelope envelope = test::envelope_of(std::move(sender), std::move(recipients));
    envelope.arrived_at = WallTime(Duration(std::chrono::seconds(1795325820)));
    return envelope;
}

std::string list(const Store& store, ListingFormat format, QueueId active = {},
                 const std::vector<ListedMessage>& more = {})
{
    std::string out;
    const auto listed = write_listing(
        store, format, [&](QueueId id) { return id == active; },
        [&](std::string_view piece) {
            out += piece;
            return true;
        },
        more);
    EXPECT_TRUE(listed);
    return out;
}

class Listing : public testing::Test {
protected:
    Listing()
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        StoreOptions options;
        options.directory = folder_.log();
        store_ = std::move(*open_store(options));
    }
    ~Listing() override { store_->stop(); }
    std::string put(mail::Envelope envelope)
    {
        last_ = envelope.id;
        EXPECT_TRUE(test::put(*store_, std::move(envelope), "Subject: x\n\nhello\n"));
        return mail::format(last_);
    }

    Folder folder_;
    std::unique_ptr<Store> store_;
    QueueId last_;
};

TEST_F(Listing, of_an_empty_queue)
{
    EXPECT_EQ(list(*store_, ListingFormat::text), "Mail queue is empty\n");
    EXPECT_EQ(list(*store_, ListingFormat::json), "");
}

TEST_F(Listing, shows_states_and_groups_recipients_by_reason)
{
    const std::string deferred = put(message("user2@x.test", {"p1@ok.test", "t1@r.test", "done@x.test", "p2@ok.test"}));
    const mail::Status refused{"4.4.1", "connect to 127.0.0.26[127.0.0.26]:2525: Connection refused"},
        busy{"4.2.1", "said \"no\"\\"};
    store_->settle({.id = last_,
                    .done = {2},
                    .deferred = {{0, refused}, {1, busy}, {3, refused}},
                    .next_attempt_at = base::wall_now()});
    const std::string held = put(message("", {"a b@x.test"}));
    EXPECT_TRUE(test::run(store_->change(last_, Change::hold)));
    EXPECT_TRUE(test::run(store_->change(last_, Change::expire)));
    const std::string active = put(message("s@x.test", {"r@x.test"}));

    std::string text = list(*store_, ListingFormat::text, last_);
    const auto line = [](const std::string& id, std::string_view sender) {
        return fmt::format("{:<11} {:>7} Sun Nov 22 05:37:00  {}\n", id, 18, sender);
    };
    const std::string indent(41, ' ');
    EXPECT_EQ(text, "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n" +
                        line(deferred + ' ', "user2@x.test") +
                        "                  (connect to 127.0.0.26[127.0.0.26]:2525: Connection refused)\n" + indent +
                        "p1@ok.test\n" + indent + "p2@ok.test\n" + std::string(66, ' ') + "(said \"no\"\\)\n" + indent +
                        "t1@r.test\n\n" + line(held + "!#", "MAILER-DAEMON") + indent + "\"a b\"@x.test\n\n" +
                        line(active + '*', "s@x.test") + indent + "r@x.test\n\n" + "-- 0 Kbytes in 3 Requests.\n");

    const std::string json = list(*store_, ListingFormat::json, last_);
    EXPECT_NE(
        json.find(
            "{\"queue_name\": \"deferred\", \"queue_id\": \"" + deferred +
            "\", \"arrival_time\": 1795325820, \"message_size\": 18, \"forced_expire\": false, "
            "\"sender\": \"user2@x.test\", \"recipients\": [{\"address\": \"p1@ok.test\", \"delay_reason\": \"connect to 127.0.0.26[127.0.0.26]:2525: Connection refused\"}, "),
        std::string::npos)
        << json;
    EXPECT_NE(json.find("\"delay_reason\": \"said \\\"no\\\"\\\\\"}]}\n"), std::string::npos) << json;
    EXPECT_NE(
        json.find(
            "{\"queue_name\": \"hold\", \"queue_id\": \"" + held +
            "\", \"arrival_time\": 1795325820, \"message_size\": 18, \"forced_expire\": true, \"sender\": \"MAILER-DAEMON\""),
        std::string::npos)
        << json;
    EXPECT_NE(json.find("{\"queue_name\": \"active\", \"queue_id\": \"" + active), std::string::npos) << json;
    EXPECT_EQ(std::ranges::count(json, '\n'), 3);
}

TEST_F(Listing, shows_what_waits_elsewhere_and_nothing_a_terminal_would_obey)
{
    ListedMessage waiting{
        .queue_name = "maildrop", .id = "ABC", .size = 2048, .sender = "al\x1b[2Jice", .recipients = {"b\nc"}};
    const std::string text = list(*store_, ListingFormat::text, {}, {waiting});
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_NE(text.find("ABC            2048 Thu Jan  1 00:00:00  "), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("\n\n-- 2 Kbytes in 1 Request.\n")) << text;
    EXPECT_NE(
        list(*store_, ListingFormat::json, {}, {waiting}).find("{\"queue_name\": \"maildrop\", \"queue_id\": \"ABC\""),
        std::string::npos);
}

TEST_F(Listing, stops_when_the_reader_has_enough)
{
    std::vector<ListedMessage> many(
        2000, ListedMessage{.queue_name = "maildrop", .id = "ABC", .sender = "s@x.test", .recipients = {"r@x.test"}});
    int pieces = 0;
    EXPECT_TRUE(write_listing(
        *store_, ListingFormat::text, [](QueueId) { return false; }, [&](std::string_view) { return ++pieces < 2; },
        many));
    EXPECT_EQ(pieces, 2);
}

}  // namespace
}  // namespace ekiden::queue
