#include "net/blocking.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace ekiden::net {
namespace {

TEST(blocking_pool, a_crowded_lane_leaves_threads_for_others)
{
    std::atomic<int> running{0}, most{0};
    std::promise<void> let_go;
    std::shared_future<void> gone = let_go.get_future().share();
    std::promise<void> other_ran;
    std::atomic<int> done{0};
    std::promise<void> all_done;
    BlockingPool pool(3);
    const auto lane = BlockingPool::make_lane(2);
    constexpr int count = 6;
    for (int i = 0; i < count; ++i) {
        pool.post([&, gone] {
            const int now = ++running;
            for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {}
            gone.wait();
            --running;
            if (++done == count) all_done.set_value();
        }, lane);
    }
    pool.post([&] { other_ran.set_value(); });
    other_ran.get_future().wait();    // though six are before it
    EXPECT_EQ(done, 0);
    let_go.set_value();
    all_done.get_future().wait();     // and none of the lane is forgotten
    EXPECT_LE(most, 2);
}

TEST(blocking_pool, what_stands_aside_is_dropped_at_the_end)
{
    const auto lane = BlockingPool::make_lane(1);
    auto held = std::make_shared<int>(0);
    std::promise<void> started, let_go;
    {
        BlockingPool pool(1);
        pool.post([&] { started.set_value(); let_go.get_future().wait(); }, lane);
        started.get_future().wait();
        pool.post([held] { ++*held; }, lane);
        EXPECT_EQ(held.use_count(), 2);
        std::thread ending([&] { let_go.set_value(); });
        ending.join();
    }
    EXPECT_EQ(held.use_count(), 1);
    // The lane serves the next pool.
    BlockingPool next(1);
    std::promise<void> ran;
    next.post([&] { ran.set_value(); }, lane);
    ran.get_future().wait();
}

}  // namespace
}  // namespace ekiden::net
