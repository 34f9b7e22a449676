#include "unit/queue/queue_fixture.hpp"

namespace ekiden::queue::test {
namespace {

class StoreTest : public testing::Test {
protected:
    void open()
    {
        auto opened = open_store(options_);
        ASSERT_TRUE(opened) << opened.error().text();
        store_ = std::move(*opened);
    }
    void reopen()
    {
        store_.reset();
        open();
    }
    Folder folder_;
    StoreOptions options_ = options_for(folder_);
    std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, gives_back_what_was_committed_before_and_after_a_restart)
{
    open();
    std::map<QueueId, std::pair<mail::Envelope, std::string>> all;
    for (std::size_t size : {0, 1, 5000, 16 << 10, 100'000, 600'000}) {
        auto envelope = envelope_of("sender@example.com", {"a@example.org", "b@example.org"});
        std::string content = text_of(size, static_cast<unsigned>(size));
        auto done = put(*store_, envelope, content);
        ASSERT_TRUE(done) << done.error().text();
        EXPECT_EQ((*done)->size, size);
        all[(*done)->id] = {**done, content};
    }
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(store_->size(), all.size());
        for (const auto& [id, want] : all) {
            auto loaded = run(store_->load(id));
            ASSERT_TRUE(loaded) << loaded.error().text();
            EXPECT_EQ(loaded->envelope->sender, want.first.sender);
            EXPECT_EQ(loaded->envelope->arrived_at, want.first.arrived_at);
            EXPECT_EQ(loaded->pending.size(), 2u);
            EXPECT_EQ(loaded->content->size(), want.second.size());
            auto content = read_all(loaded->content);
            ASSERT_TRUE(content) << content.error().text();
            EXPECT_EQ(*content, want.second);
        }
        reopen();
    }
}

TEST_F(StoreTest, settlements_and_removes_outlive_a_restart)
{
    open();
    auto one = *put(*store_, envelope_of("s@example.com", {"a@x.test", "b@x.test", "c@x.test"}), "hello\n");
    auto two = *put(*store_, envelope_of("s@example.com", {"a@x.test"}), "gone\n");
    WallTime later = base::wall_now() + std::chrono::hours(1);
    store_->settle(
        {.id = one->id, .done = {1}, .deferred = {{0, {"4.4.1", "connection timed out"}}}, .next_attempt_at = later});
    store_->remove(two->id);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(store_->size(), 1u);
        auto loaded = store_->load_now(one->id);
        ASSERT_TRUE(loaded);
        ASSERT_EQ(loaded->pending.size(), 2u);
        EXPECT_EQ(loaded->pending[0].index, 0u);
        EXPECT_EQ(loaded->pending[0].reason.text, "connection timed out");
        EXPECT_EQ(loaded->pending[1].index, 2u);
        EXPECT_EQ(loaded->pending[1].reason.code, "");
        EXPECT_EQ(loaded->state, State::deferred);
        EXPECT_EQ(loaded->next_attempt_at, later);
        EXPECT_EQ(loaded->attempts, 1);
        EXPECT_TRUE(store_->load_now(two->id).error().is(ErrorCode::not_found));
        reopen();
    }
}

TEST_F(StoreTest, changes_are_durable)
{
    struct Row {
        Change change;
        State state;
        bool is_expired;
    };
    open();
    auto message = *put(*store_, envelope_of("s@example.com", {"a@x.test"}), "hello\n");
    for (auto [change, state, is_expired] :
         {Row{Change::hold, State::held, false}, Row{Change::expire, State::held, true},
          Row{Change::release, State::deferred, true}, Row{Change::requeue, State::incoming, false}}) {
        ASSERT_TRUE(run(store_->change(message->id, change)));
        for (int round = 0; round < 2; ++round) {
            auto loaded = store_->load_now(message->id);
            ASSERT_TRUE(loaded);
            EXPECT_EQ(loaded->state, state);
            EXPECT_EQ(loaded->is_expired, is_expired);
            reopen();
        }
    }
    ASSERT_TRUE(run(store_->change(message->id, Change::remove)));
    EXPECT_TRUE(run(store_->change(message->id, Change::hold)).error().is(ErrorCode::not_found));
    reopen();
    EXPECT_EQ(store_->size(), 0u);
}

TEST_F(StoreTest, a_second_engine_is_refused_and_a_reader_is_not)
{
    open();
    auto message = *put(*store_, envelope_of("s@example.com", {"a@x.test"}), "hello\n");
    EXPECT_TRUE(open_store(options_).error().is(ErrorCode::refused));
    StoreOptions reading = options_;
    reading.is_read_only = true;
    auto reader = open_store(reading);
    ASSERT_TRUE(reader) << reader.error().text();
    EXPECT_EQ((*reader)->size(), 1u);
    EXPECT_EQ(*read_all((*reader)->load_now(message->id)->content), "hello\n");
    EXPECT_TRUE(run((*reader)->change(message->id, Change::hold)).error().is(ErrorCode::refused));
}

TEST_F(StoreTest, segments_are_recycled_and_old_messages_do_not_come_back)
{
    open();
    auto kept = *put(*store_, envelope_of("kept@example.com", {"a@x.test"}), text_of(3000, 1));
    for (int i = 0; i < 600; ++i) {
        auto message =
            put(*store_, envelope_of("s@example.com", {"a@x.test"}), text_of(5000, static_cast<unsigned>(i)));
        ASSERT_TRUE(message) << message.error().text();
        store_->remove((*message)->id);
        if (i % 100 == 99) reopen();
    }
    EXPECT_EQ(store_->size(), 1u);
    EXPECT_LT(store_->statistics().segments, 25u);    // 600 messages of 8 KiB filled more than this
    auto loaded = store_->load_now(kept->id);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(*read_all(loaded->content), text_of(3000, 1));
}

TEST_F(StoreTest, lists_all_with_reasons_oldest_first)
{
    open();
    std::vector<QueueId> ids;
    for (int i = 0; i < 50; ++i) {
        auto message = *put(*store_, envelope_of("s@example.com", {"a@x.test"}), text_of(2000, 1));
        ids.push_back(message->id);
        store_->settle({.id = message->id,
                        .deferred = {{0, {"4.0.0", "reason " + std::to_string(i)}}},
                        .next_attempt_at = base::wall_now()});
    }
    std::size_t at = 0;
    ASSERT_TRUE(store_->list([&](const Summary& summary, const Loaded& loaded) {
        EXPECT_EQ(summary.id, ids[at]);
        EXPECT_EQ(loaded.pending.at(0).reason.text, "reason " + std::to_string(at));
        EXPECT_EQ(loaded.envelope->sender, "s@example.com");
        ++at;
        return true;
    }));
    EXPECT_EQ(at, ids.size());
}

TEST_F(StoreTest, partial_settlements_add_up_and_fold)
{
    open();
    std::vector<std::string> recipients(100, "r@x.test");
    auto message = *put(*store_, envelope_of("s@example.com", recipients), "hello\n");
    for (std::uint32_t i = 0; i < 60; ++i)
        ASSERT_TRUE(run(store_->settle_durably(
            {.id = message->id, .done = {i}, .deferred = {{99 - i % 40, {"4.0.0", std::to_string(i)}}}})));
    for (int round = 0; round < 2; ++round) {
        auto loaded = store_->load_now(message->id);
        ASSERT_TRUE(loaded);
        ASSERT_EQ(loaded->pending.size(), 40u);
        EXPECT_EQ(loaded->pending.front().index, 60u);
        EXPECT_EQ(loaded->pending.back().reason.text, "40");
        reopen();
    }
}

}  // namespace
}  // namespace ekiden::queue::test
