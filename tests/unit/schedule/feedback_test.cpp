#include "schedule/feedback.hpp"

#include <gtest/gtest.h>

namespace ekiden::schedule {

static Window::Limits limits(int initial, int maximum, int cohorts = 1)
{
    Window::Limits l;
    l.initial = initial;
    l.maximum = maximum;
    l.failed_cohort_limit = cohorts;
    l.positive = {1, FeedbackRule::Divisor::concurrency};
    l.negative = {1, FeedbackRule::Divisor::concurrency};
    return l;
}

TEST(Window, GrowsByOneForEachWindowOfSuccess)
{
    auto l = limits(5, 20);
    Window window(l);
    for (int i = 0; i < 5; ++i) window.on_success(l, window.size());
    EXPECT_EQ(window.size(), 6);
}

TEST(Window, DoesNotGrowWhileItIsNotUsedUp)
{
    auto l = limits(5, 20);
    Window window(l);
    for (int i = 0; i < 100; ++i) window.on_success(l, 1);
    EXPECT_EQ(window.size(), 5);
}

TEST(Window, StopsAtTheMaximum)
{
    auto l = limits(5, 7);
    Window window(l);
    for (int i = 0; i < 1000; ++i) window.on_success(l, window.size());
    EXPECT_EQ(window.size(), 7);
}

TEST(Window, InitialIsCappedByTheMaximum) { EXPECT_EQ(Window(limits(5, 1)).size(), 1); }

TEST(Window, AFailedCohortIsDeath)
{
    auto l = limits(5, 20);
    Window window(l);
    int troubles = 1;
    while (!window.on_trouble(l) && troubles < 100) ++troubles;
    EXPECT_TRUE(window.is_dead());
    EXPECT_LE(troubles, 5);
}

TEST(Window, OneTroubleKillsAWindowOfOne)
{
    auto l = limits(1, 20);
    Window window(l);
    EXPECT_TRUE(window.on_trouble(l));
}

TEST(Window, SuccessBringsItBack)
{
    auto l = limits(1, 20);
    Window window(l);
    (void)window.on_trouble(l);
    window.on_success(l, 1);
    EXPECT_FALSE(window.is_dead());
}

TEST(Window, NeverDeadWithoutCohortLimit)
{
    auto l = limits(5, 20, 0);
    Window window(l);
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(window.on_trouble(l));
    EXPECT_EQ(window.size(), 1);
}

}  // namespace ekiden::schedule
