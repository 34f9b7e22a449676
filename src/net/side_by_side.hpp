// Pieces of work that mostly wait, some at a time, all on the caller's core.
#pragma once

#include "net/gate.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>

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

}  // namespace detail

// Awaits work(i), a Task<void>, for each i below `count`, at most `limit` at a time and in this order of starting; `work` and what
// it refers to stay until then. What one throws is thrown when those under way have ended; no further ones are started.
template <class Work>
Task<void> side_by_side(std::size_t count, std::size_t limit, Work& work)
{
    auto executor = co_await this_executor();
    auto state = std::make_shared<detail::SideBySide>(executor);
    for (std::size_t i = 0; i < std::min(count, std::max<std::size_t>(limit, 1)); ++i)
        asio::co_spawn(executor, detail::work_along(state, count, work, state->gate.enter()), asio::detached);
    co_await state->gate.wait();
    if (state->error) std::rethrow_exception(state->error);
}

}  // namespace ekiden::net
