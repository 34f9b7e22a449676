#include "net/side_by_side.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace ekiden::net {

namespace {

struct Log {
    std::size_t running = 0, most = 0;
    std::size_t left_behind = 0;    // still running when side_by_side ended
    std::vector<std::size_t> begun, ended;
};

// Takes i % 3 + 1 turns of the loop.
Task<void> piece(Log& log, std::size_t i)
{
    log.begun.push_back(i);
    log.most = std::max(log.most, ++log.running);
    for (std::size_t turn = 0; turn <= i % 3; ++turn) co_await asio::post(co_await this_executor(), use_task);
    --log.running;
    log.ended.push_back(i);
    if (i == 13) throw std::runtime_error("unlucky");
}

// Has memory for so many.
struct SpawnSome {
    std::size_t left;
    void operator()(const Executor& executor, Task<void> task)
    {
        if (left == 0) throw std::bad_alloc();
        --left;
        UnderWay::Spawn()(executor, std::move(task));
    }
};

template <class Spawn = UnderWay::Spawn>
void run(Log& log, std::size_t count, std::size_t limit, Spawn spawn = {})
{
    asio::io_context context;
    std::exception_ptr error = std::make_exception_ptr(std::logic_error("never ended"));
    auto work = [&](std::size_t i) { return piece(log, i); };
    asio::co_spawn(context, side_by_side(count, limit, work, spawn), [&](std::exception_ptr seen) {
        error = seen;
        log.left_behind = log.running;
    });
    context.run();
    if (error) std::rethrow_exception(error);
}

}  // namespace

TEST(SideBySide, EachIsDoneOnceAndNoMoreThanAllowedAtATime)
{
    for (std::size_t limit : {0, 1, 2, 5, 50}) {
        Log log;
        run(log, 10, limit);
        EXPECT_EQ(log.begun, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
        EXPECT_EQ(log.most, std::clamp<std::size_t>(limit, 1, 10));
        std::ranges::sort(log.ended);
        EXPECT_EQ(log.ended, log.begun);
    }
}

TEST(SideBySide, NothingToDoIsDoneAtOnce)
{
    Log log;
    run(log, 0, 8);
    EXPECT_TRUE(log.begun.empty());
}

TEST(SideBySide, TroubleComesWhenThoseUnderWayHaveEnded)
{
    Log log;
    EXPECT_THROW(run(log, 100, 4), std::runtime_error);
    EXPECT_EQ(log.left_behind, 0u);
    EXPECT_EQ(log.ended.size(), log.begun.size());
    EXPECT_LT(log.begun.size(), 20u);
}

TEST(SideBySide, NobodyIsLeftBehindWhenOneCannotBeStarted)
{
    for (std::size_t memory : {0, 1, 3}) {
        Log log;
        EXPECT_THROW(run(log, 10, 4, SpawnSome{memory}), std::bad_alloc);
        EXPECT_EQ(log.left_behind, 0u);
        EXPECT_EQ(log.ended.size(), log.begun.size());
        EXPECT_LE(log.begun.size(), memory);
    }
}

}  // namespace ekiden::net
