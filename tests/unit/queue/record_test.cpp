#include "queue/crc32c.hpp"
#include "queue/index.hpp"
#include "queue/record.hpp"

#include <gtest/gtest.h>

namespace ekiden::queue {
namespace {

TEST(Crc32c, agrees_with_the_published_values_and_with_itself)
{
    struct Row {
        std::string text;
        std::uint32_t want;
    };
    for (const Row& row : {Row{"", 0}, Row{"123456789", 0xe3069283}, Row{std::string(32, '\0'), 0x8a9136aa},
                           Row{std::string(32, '\xff'), 0x62a8ab43}}) {
        EXPECT_EQ(crc32c(row.text), row.want);
        EXPECT_EQ(crc32c_by_table(row.text), row.want);
    }
    std::string text;
    for (int i = 0; i < 300; ++i) {
        text += static_cast<char>(i * 7);
        EXPECT_EQ(crc32c(text), crc32c_by_table(text));
        EXPECT_EQ(crc32c(text.substr(i / 2), crc32c(text.substr(0, i / 2))), crc32c(text));
    }
}

AcceptRecord full_accept()
{
    AcceptRecord record;
    record.envelope.arrived_at = WallTime(Duration(1234567890));
    record.envelope.sender = "s@example.com";
    record.envelope.recipients = {{"a@x.test", "b@x.test", "rfc822;b@x.test", 4}, {"c@x.test", "", "", 0}};
    record.envelope.origin.sasl_username = "user";
    record.envelope.origin.server_address = "192.0.2.1";
    record.envelope.origin.server_port = "587";
    record.envelope.origin.rewrite_context = "local";
    record.envelope.size = 42;
    record.envelope.body = mail::BodyType::eight_bit;
    record.envelope.is_smtputf8 = record.envelope.is_held = record.envelope.was_warned = true;
    record.envelope.dsn_return = mail::DsnReturn::headers;
    record.envelope.dsn_envid = "id";
    record.envelope.filter = "smtp:[x]";
    record.chunks = {{1, 4096, 200}};
    record.chunk_before = 96;
    record.state = StateRecord{.state = State::deferred,
                               .was_warned = true,
                               .is_complete = true,
                               .attempts = 3,
                               .next_attempt_at = WallTime(Duration(99)),
                               .done = {0},
                               .deferred = {{1, {"4.4.1", "why"}}}};
    return record;
}

TEST(Record, every_field_survives)
{
    AcceptRecord want = full_accept();
    auto got = decode_accept(encode(want));
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(encode(*got), encode(want));
    EXPECT_EQ(got->envelope.recipients[0].dsn_original, "rfc822;b@x.test");
    EXPECT_EQ(got->envelope.origin.sasl_username, "user");
    EXPECT_EQ(got->envelope.origin.server_address, "192.0.2.1");
    EXPECT_EQ(got->envelope.origin.server_port, "587");
    EXPECT_EQ(got->state->deferred[0].reason.text, "why");
    EXPECT_EQ(got->chunks, want.chunks);
    auto remove = decode_remove(encode(RemoveRecord{{1, 2, 3}}));
    ASSERT_TRUE(remove);
    EXPECT_EQ(remove->segments, (std::vector<std::uint32_t>{1, 2, 3}));
}

TEST(Record, purpose_and_verp_stand_at_the_end_and_may_be_absent)
{
    AcceptRecord plain = full_accept();
    const std::string without = encode(plain);
    auto got = decode_accept(without);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->envelope.purpose, mail::Purpose::deliver);
    EXPECT_EQ(got->envelope.verp_delimiters, "");
    for (const auto purpose :
         {mail::Purpose::deliver, mail::Purpose::trace, mail::Purpose::verify, mail::Purpose::probe}) {
        for (const char* verp : {"", "+="}) {
            AcceptRecord record = full_accept();
            record.envelope.purpose = purpose;
            record.envelope.verp_delimiters = verp;
            const std::string bytes = encode(record);
            auto again = decode_accept(bytes);
            ASSERT_TRUE(again);
            EXPECT_EQ(again->envelope.purpose, purpose);
            EXPECT_EQ(again->envelope.verp_delimiters, verp);
            EXPECT_EQ(encode(*again), bytes);
            for (std::size_t size = without.size(); size < bytes.size(); ++size)
                EXPECT_FALSE(decode_accept(std::string_view(bytes).substr(0, size))) << size;
        }
    }
    AcceptRecord probe = full_accept();
    probe.envelope.purpose = mail::Purpose::probe;
    std::string odd = encode(probe);
    for (const char purpose : {'\x04', '\0'}) {   // one that there is not, and one that needs no words
        odd[odd.size() - 5] = purpose;
        EXPECT_FALSE(decode_accept(odd));
    }
    probe.envelope.verp_delimiters = "+";
    EXPECT_FALSE(decode_accept(encode(probe)));
}

TEST(Record, a_part_of_a_payload_is_refused)
{
    std::string accept = encode(full_accept()), state = encode(*full_accept().state);
    for (std::size_t size = 0; size < accept.size(); ++size)
        EXPECT_FALSE(decode_accept(std::string_view(accept).substr(0, size))) << size;
    for (std::size_t size = 0; size < state.size(); ++size)
        EXPECT_FALSE(decode_state(std::string_view(state).substr(0, size))) << size;
    EXPECT_FALSE(decode_accept(accept + '\0'));
}

TEST(Record, a_changed_header_is_refused)
{
    auto header = encode_header({.kind = Kind::settle,
                                 .ends_batch = true,
                                 .length = 7,
                                 .unsynced_from = 4096,
                                 .epoch = 5,
                                 .id = {6},
                                 .payload_check = 8});
    std::string bytes(header.data(), header.size());
    auto got = decode_header(bytes);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->kind, Kind::settle);
    EXPECT_TRUE(got->ends_batch);
    EXPECT_EQ(got->length, 7u);
    EXPECT_EQ(got->unsynced_from, 4096u);
    EXPECT_EQ(got->epoch, 5u);
    EXPECT_EQ(got->id.value, 6u);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string changed = bytes;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
        EXPECT_FALSE(decode_header(changed)) << "bit " << bit;
    }
}

TEST(PendingSet, counts_on_both_sides_of_a_word)
{
    for (std::uint32_t count : {0u, 1u, 63u, 64u, 65u, 128u, 1000u}) {
        PendingSet set(count);
        EXPECT_EQ(set.size(), count);
        EXPECT_FALSE(set.contains(count));
        if (count == 0) continue;
        set.erase(count - 1);
        set.erase(count + 5);
        EXPECT_EQ(set.size(), count - 1);
        EXPECT_EQ(set.indexes().size(), count - 1);
        set.insert(count - 1);
        EXPECT_TRUE(set.contains(count - 1));
    }
}

}  // namespace
}  // namespace ekiden::queue
