#include "net/under_way.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>

namespace ekiden::net {

namespace {

struct Log {
    std::size_t running = 0, most = 0, ended = 0;
    std::size_t left_behind = 0;    // still running when the starter ended
};

struct Plan {
    std::size_t count = 10, limit = 4;
    std::size_t memory = std::numeric_limits<std::size_t>::max();    // for so many
    std::size_t unlucky = std::numeric_limits<std::size_t>::max();
};

// Takes i % 3 + 1 turns of the loop.
Task<void> piece(Log& log, std::size_t i, bool is_unlucky)
{
    log.most = std::max(log.most, ++log.running);
    for (std::size_t turn = 0; turn <= i % 3; ++turn) co_await asio::post(co_await this_executor(), use_task);
    --log.running;
    ++log.ended;
    if (is_unlucky) throw std::runtime_error("unlucky");
}

Task<void> start_all(UnderWay& under_way, Log& log, Plan plan)
{
    auto spawn = [&](const Executor& executor, Task<void> task) {
        if (plan.memory == 0) throw std::bad_alloc();
        --plan.memory;
        UnderWay::Spawn()(executor, std::move(task));
    };
    for (std::size_t i = 0; i < plan.count; ++i) {
        co_await under_way.wait(plan.limit - 1);
        under_way.start(piece(log, i, i == plan.unlucky), spawn);
    }
}

Task<void> starter(Log& log, Plan plan)
{
    UnderWay under_way(co_await this_executor());
    co_await under_way.run(start_all(under_way, log, plan));
}

Log run(Plan plan)
{
    Log log;
    asio::io_context context;
    std::exception_ptr error = std::make_exception_ptr(std::logic_error("never ended"));
    asio::co_spawn(context, starter(log, plan), [&](std::exception_ptr seen) {
        error = seen;
        log.left_behind = log.running;
    });
    context.run();
    EXPECT_EQ(log.left_behind, 0u);
    EXPECT_EQ(log.running, 0u);
    if (error) std::rethrow_exception(error);
    return log;
}

}  // namespace

TEST(UnderWay, EachIsDoneAndNoMoreThanAllowedAtATime)
{
    for (std::size_t count : {0, 1, 3, 10}) {
        for (std::size_t limit : {1, 4, 20}) {
            Log log = run({.count = count, .limit = limit});
            EXPECT_EQ(log.ended, count);
            EXPECT_EQ(log.most, std::min(count, limit));
        }
    }
}

TEST(UnderWay, WhatOneThrowsIsThrownWhenAllHaveEnded)
{
    for (std::size_t unlucky : {0, 5, 9}) EXPECT_THROW(run({.unlucky = unlucky}), std::runtime_error);
}

TEST(UnderWay, NobodyIsLeftBehindWhenOneCannotBeStarted)
{
    for (std::size_t memory : {0, 1, 3, 9}) EXPECT_THROW(run({.memory = memory}), std::bad_alloc);
}

}  // namespace ekiden::net
