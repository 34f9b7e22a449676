#include "mail/queue_id.hpp"

#include <gtest/gtest.h>

namespace ekiden::mail {
namespace {

class QueueIdTest : public testing::Test {
protected:
    void TearDown() override { use_long_queue_ids(false); }
};

TEST_F(QueueIdTest, both_shapes_there_and_back)
{
    struct Row {
        std::uint64_t value;
        std::string short_text, long_text;
    };
    for (const Row& row :
         {Row{1, "000010", "0000000001z1"}, Row{1'790'000'000'396'986, "60EBA6AB13B80", "4hpQDw2ppLz1"},
          Row{1'000'000, "000001", "0000010000z1"}, Row{999'999, "F423F0", "00000075plz1"}}) {
        QueueId id{row.value};
        use_long_queue_ids(false);
        EXPECT_EQ(format(id), row.short_text);
        use_long_queue_ids(true);
        EXPECT_EQ(format(id), row.long_text);
        for (const std::string& text : {row.short_text, row.long_text}) {
            auto parsed = parse_queue_id(text);
            ASSERT_TRUE(parsed) << text;
            EXPECT_EQ(parsed->value, row.value) << text;
        }
    }
}

TEST_F(QueueIdTest, what_is_no_id)
{
    for (const char* text :
         {"", "0", "00000", "000000", "F42400", "60eba6AB13B80", "60EBA06AB13B80", "../../etc", "0000010000z2",
          "000010000z1", "A000010000z1", "00000000000z1", "000000FFFFFFFFFFFFFFFFFFFF", "0000000000z1", "ALL"})
        EXPECT_FALSE(parse_queue_id(text)) << text;
}

TEST_F(QueueIdTest, ids_rise_even_when_the_clock_stands_still_or_goes_back)
{
    base::FixedClock clock(WallTime(Duration(5'000'000'000'000'000)));
    QueueId first = make_queue_id(), second = make_queue_id();
    EXPECT_LT(first, second);
    clock.advance(-std::chrono::hours(1));
    QueueId third = make_queue_id();
    EXPECT_LT(second, third);
    reserve_queue_ids({third.value + 1000});
    EXPECT_EQ(make_queue_id().value, third.value + 1001);
    reserve_queue_ids({1});
    EXPECT_EQ(make_queue_id().value, third.value + 1002);
}

}  // namespace
}  // namespace ekiden::mail
