#include "schedule/slots.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ekiden::schedule {
namespace {

using namespace std::chrono_literals;

const SteadyTime noon{1h};

TEST(slots, without_room_for_waiting_all_jobs_count_alike)
{
    Slots slots;
    const Slots::Limits limits{2, 0};
    auto first = slots.start(limits, true, noon);
    auto second = slots.start(limits, false, noon);
    EXPECT_FALSE(slots.has_room(limits, true));
    EXPECT_FALSE(slots.has_room(limits, false));
    slots.age(limits, noon + 1h);
    EXPECT_FALSE(slots.has_room(limits, true));    // however long they take
    EXPECT_FALSE(slots.next_change(limits));
    EXPECT_EQ(slots.finish(second, noon + 3s), 3s);
    EXPECT_TRUE(slots.has_room(limits, false));
    slots.finish(first, noon);
}

TEST(slots, silent_destinations_take_nothing_from_those_that_answer)
{
    Slots slots;
    const Slots::Limits limits{2, 5};
    std::vector<Slots::Ticket> silent;
    for (int i = 0; i < 5; ++i) silent.push_back(slots.start(limits, false, noon));
    EXPECT_FALSE(slots.has_room(limits, false));
    EXPECT_TRUE(slots.has_room(limits, true));
    auto first = slots.start(limits, true, noon);
    auto second = slots.start(limits, true, noon);
    EXPECT_FALSE(slots.has_room(limits, true));
    slots.finish(silent[0], noon);
    EXPECT_FALSE(slots.has_room(limits, true));
    EXPECT_TRUE(slots.has_room(limits, false));
}

TEST(slots, a_job_that_takes_long_changes_sides)
{
    Slots slots;
    const Slots::Limits limits{2, 5};
    auto quick = slots.start(limits, true, noon);
    auto slow = slots.start(limits, true, noon + 100ms);
    slots.finish(quick, noon + 200ms);
    ASSERT_TRUE(slots.next_change(limits));
    EXPECT_EQ(*slots.next_change(limits), noon + 100ms + Slots::patience);
    auto another = slots.start(limits, true, noon + 300ms);
    slots.age(limits, noon + 1s);
    EXPECT_FALSE(slots.has_room(limits, true));
    slots.age(limits, noon + 1100ms);
    EXPECT_TRUE(slots.has_room(limits, true));
    EXPECT_EQ(slots.finish(slow, noon + 5s), 4900ms);
    slots.finish(another, noon + 5s);
    // Nothing was counted twice: there is room for two and five again.
    for (int i = 0; i < 2; ++i) slots.start(limits, true, noon + 6s);
    EXPECT_FALSE(slots.has_room(limits, true));
    for (int i = 0; i < 4; ++i) slots.start(limits, false, noon + 6s);
    EXPECT_TRUE(slots.has_room(limits, false));
    slots.start(limits, false, noon + 6s);
    EXPECT_FALSE(slots.has_room(limits, false));
}

TEST(slots, no_limit_is_no_limit)
{
    Slots slots;
    const Slots::Limits limits{0, 10};
    for (int i = 0; i < 1000; ++i) slots.start(limits, i % 2 == 0, noon);
    EXPECT_TRUE(slots.has_room(limits, true));
    EXPECT_TRUE(slots.has_room(limits, false));
}

}  // namespace
}  // namespace ekiden::schedule
