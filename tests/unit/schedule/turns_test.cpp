#include "schedule/turns.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ekiden::schedule {

TEST(Turns, KeepTheOrderOfOneLane)
{
    Turns<int> turns;
    for (int i = 0; i < 4; ++i) turns.add(7, i);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(turns.take(), i);
    EXPECT_TRUE(turns.empty());
}

TEST(Turns, AMessageToManyDestinationsHoldsUpNobody)
{
    Turns<std::string> turns;
    for (int i = 0; i < 50'000; ++i) turns.add(1, "list");
    EXPECT_EQ(turns.take(), "list");
    turns.add(2, "single");
    turns.add(3, "other");
    EXPECT_EQ(turns.take(), "list");
    EXPECT_EQ(turns.take(), "single");
    EXPECT_EQ(turns.take(), "other");
    EXPECT_EQ(turns.take(), "list");
    EXPECT_EQ(turns.size(), 49'997u);
}

TEST(Turns, ALaneThatRanDryComesBackBehindTheOthers)
{
    Turns<int> turns;
    turns.add(1, 10);
    turns.add(2, 20);
    turns.add(2, 21);
    EXPECT_EQ(turns.take(), 10);
    turns.add(1, 11);
    EXPECT_EQ(turns.take(), 20);
    EXPECT_EQ(turns.take(), 11);
    EXPECT_EQ(turns.take(), 21);
    EXPECT_TRUE(turns.empty());
}

}  // namespace ekiden::schedule
