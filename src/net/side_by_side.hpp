// Pieces of work that mostly wait, some at a time, all on the caller's core.
#pragma once

#include "net/gate.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

namespace ekiden::net {

namespace detail {

struct SideBySide {
    explicit SideBySide(Executor executor) : gate(executor) {}
    std::size_t next = 0;
    std::exception_ptr error;
    Gate gate;
};

template <class Work>
Task<void> work_along(std::shared_ptr<SideBySide> state, std::size_t count, Work& work, Gate::Pass)
{
    while (state->next < count && !state->error) {
        try {
            co_await work(state->next++);
        } catch (...) {
            state->error = std::current_exception();
        }
    }
}

struct Spawn {
    void operator()(const Executor& executor, Task<void> task) const
    {
        asio::co_spawn(executor, std::move(task), asio::detached);
    }
};

}  // namespace detail

// Awaits work(i), a Task<void>, for each i below `count`, at most `limit` at a time and in this order of starting; `work` and what
// it refers to stay until then. What one throws, or the start of one for want of memory, is thrown when those under way have
// ended; no further ones are started.
template <class Work, class Spawn = detail::Spawn>
Task<void> side_by_side(std::size_t count, std::size_t limit, Work& work, Spawn spawn = {})
{
    auto executor = co_await this_executor();
    auto state = std::make_shared<detail::SideBySide>(executor);
    auto all_have_ended = state->gate.wait();    // made now: it takes memory, too
    try {
        for (std::size_t i = 0; i < std::min(count, std::max<std::size_t>(limit, 1)); ++i)
            spawn(executor, detail::work_along(state, count, work, state->gate.enter()));
    } catch (...) {
        if (!state->error) state->error = std::current_exception();
    }
    co_await std::move(all_have_ended);
    if (state->error) std::rethrow_exception(state->error);
}

}  // namespace ekiden::net
