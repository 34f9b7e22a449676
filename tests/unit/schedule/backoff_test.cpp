#include "schedule/backoff.hpp"

#include <gtest/gtest.h>

namespace ekiden::schedule {

using std::chrono::seconds;

static seconds wait_at(seconds age, BackoffLimits limits, double random = 0)
{
    WallTime arrived{seconds(1'000'000)};
    return std::chrono::duration_cast<seconds>(next_attempt(arrived, arrived + age, limits, random) - (arrived + age));
}

TEST(Backoff, GrowsWithAgeWithinTheLimits)
{
    BackoffLimits limits{seconds(300), seconds(4000)};
    struct { int age, want; } cases[] = {{0, 299}, {100, 299}, {600, 599}, {3000, 2999}, {100000, 3999}};
    for (auto c : cases) EXPECT_EQ(wait_at(seconds(c.age), limits).count(), c.want) << "age " << c.age;
}

TEST(Backoff, JitterStaysBelowTheMaximum)
{
    BackoffLimits limits{seconds(300), seconds(4000)};
    EXPECT_GT(wait_at(seconds(1000), limits, 0.99), seconds(1000));
    EXPECT_LE(wait_at(seconds(100000), limits, 0.999), seconds(4000));
}

TEST(Backoff, NeverAtOnceEvenWithZeroLimits) { EXPECT_GE(wait_at(seconds(0), {seconds(0), seconds(0)}), seconds(1)); }

TEST(Backoff, FollowsThePostfixRhythm)
{
    // minimal 2 s, maximal 8 s: tries at 0, 1, 2, 3, 5, 9, 16, 23 seconds.
    BackoffLimits limits{seconds(2), seconds(8)};
    std::vector<int> tries;
    for (int at = 0; at < 26; at += static_cast<int>(wait_at(seconds(at), limits).count())) tries.push_back(at);
    EXPECT_EQ(tries, (std::vector<int>{0, 1, 2, 3, 5, 9, 16, 23}));
}

}  // namespace ekiden::schedule
