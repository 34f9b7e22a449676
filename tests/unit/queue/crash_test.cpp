#include "crash/workload.hpp"

#include "base/log_sinks.hpp"

namespace ekiden::crash {
namespace {

using ekiden::test::FaultyDisk;

class Crash : public testing::TestWithParam<unsigned> {
protected:
    void SetUp() override { base::use_sink(base::function_sink([](base::LogLevel, std::string_view, std::string) {})); }
    void TearDown() override { base::use_sink(base::stderr_sink()); }
};

TEST_P(Crash, at_every_byte_of_the_last_batch_nothing_promised_is_lost)
{
    std::mt19937 dice(GetParam());
    FaultyDisk disk;
    Diary diary;
    auto store = std::move(*open_store(small_options(), disk));
    for (int i = 0; i < 12; ++i) act(*store, disk, diary, dice);
    auto envelope = envelope_of("last@example.com", {"a@example.org", "b@example.org"});
    std::size_t before = disk.steps();
    auto& last = diary.messages[envelope.id];
    last.envelope = envelope;
    last.content = text_of(300, 1);
    last.envelope.size = last.content.size();
    ASSERT_TRUE(put(*store, envelope, last.content));
    last.is_promised = disk.steps();
    std::size_t cuts = 0;
    for (std::size_t step = before; step < last.is_promised; ++step) {
        std::size_t bytes = disk.step(step).kind == FaultyDisk::Kind::write ? disk.step(step).bytes.size() : 0;
        if (bytes > 8192) continue;    // zeros of a spare segment
        for (std::size_t cut = 0; cut <= bytes; ++cut, ++cuts)
            ASSERT_EQ(look_at(disk.cut_at(step, cut), diary, step), "") << "step " << step << " byte " << cut;
    }
    EXPECT_GT(cuts, 4000u);
    EXPECT_EQ(look_at(disk.cut_at(last.is_promised), diary, last.is_promised), "");
}

TEST_P(Crash, at_random_steps_with_torn_sectors_nothing_promised_is_lost)
{
    std::mt19937 dice(GetParam() + 100);
    FaultyDisk disk;
    Diary diary;
    auto store = std::move(*open_store(small_options(), disk));
    for (int i = 0; i < 120; ++i) {
        act(*store, disk, diary, dice);
        if (i % 50 == 49) {
            // A clean stop and start in between: checkpoints, recycled segments.
            store.reset();
            store = std::move(*open_store(small_options(), disk));
        }
    }
    store->stop();
    std::size_t steps = disk.steps();
    for (int i = 0; i < 150; ++i) {
        std::size_t step = dice() % (steps + 1);
        ASSERT_EQ(look_at(disk.lose_power_at(step, dice), diary, step), "") << "power lost at step " << step;
        ASSERT_EQ(look_at(disk.cut_at(step, dice() % 4096), diary, step), "") << "cut at step " << step;
    }
}

TEST_P(Crash, after_crash_the_queue_goes_on_and_may_crash_again)
{
    std::mt19937 dice(GetParam() + 200);
    Diary diary;
    FaultyDisk::Image image;
    for (int life = 0; life < 12; ++life) {
        FaultyDisk disk(image);
        auto opened = open_store(small_options(), disk);
        ASSERT_TRUE(opened) << opened.error().text();
        ASSERT_EQ(compare(**opened, diary, 0), "") << "life " << life;
        for (int i = 0; i < 25; ++i) act(**opened, disk, diary, dice);
        // Everything up to here was promised or begun; some of the rest may have reached the disk.
        std::size_t step = disk.steps();
        std::size_t crash = step - dice() % std::min<std::size_t>(step, 12);
        image = disk.lose_power_at(crash, dice);
        FaultyDisk after(image);
        StoreOptions reading = small_options();
        reading.is_read_only = true;
        auto left = std::move(*open_store(reading, after));
        for (auto& [id, one] : diary.messages) {
            auto loaded = left->load_now(id);
            bool must_be_there = one.is_promised <= crash && one.remove_begun > crash;
            if (must_be_there) ASSERT_TRUE(loaded) << "life " << life << ": promised and lost";
            if (one.is_removed <= crash) ASSERT_FALSE(loaded) << "life " << life << ": removed and back";
            // What the crash left open is now decided, and must stay so.
            one.is_promised = loaded ? 0 : never;
            one.remove_begun = one.is_removed = loaded ? never : 0;
            one.hold_begun = one.is_held = loaded && loaded->state == State::held ? 0 : never;
            one.settle_begun = one.is_settled = loaded && loaded->pending.size() == 1 ? 0 : never;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Crash, testing::Values(1u, 2u, 3u, 4u));

}  // namespace
}  // namespace ekiden::crash
