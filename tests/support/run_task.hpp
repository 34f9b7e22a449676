// Lets one coroutine run to its end, on a loop that lives as long as the program: whoever woke the coroutine from another
// thread (the committer, the pool, the helper's reader) may still be on its way out of the post that did it.
#pragma once

#include "net/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>

namespace ekiden::test {

inline asio::io_context& loop()
{
    static asio::io_context context(1);
    context.restart();
    return context;
}

template <class T>
T run_task(Task<T> task)
{
    asio::io_context& context = loop();
    std::optional<T> result;
    std::exception_ptr error;
    auto keep_running = asio::make_work_guard(context);
    asio::co_spawn(context, std::move(task), [&](std::exception_ptr e, T value) {
        error = e;
        if (!e) result.emplace(std::move(value));
        keep_running.reset();
    });
    context.run();
    if (error) std::rethrow_exception(error);
    return std::move(*result);
}

}  // namespace ekiden::test
