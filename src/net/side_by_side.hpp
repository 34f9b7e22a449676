// Pieces of work that mostly wait, some at a time, all on the caller's core.
#pragma once

#include "net/under_way.hpp"

#include <algorithm>
#include <cstddef>

namespace ekiden::net {

namespace detail {

template <class Work>
Task<void> work_along(std::size_t& next, std::size_t count, Work& work)
{
    while (next < count) {
        try {
            co_await work(next++);
        } catch (...) {
            next = count;
            throw;
        }
    }
}

template <class Work, class Spawn>
Task<void> start_work(UnderWay& under_way, std::size_t limit, std::size_t& next, std::size_t count, Work& work,
                      Spawn spawn)
{
    try {
        for (std::size_t i = 0; i < std::min(count, std::max<std::size_t>(limit, 1)); ++i)
            under_way.start(work_along(next, count, work), spawn);
    } catch (...) {
        next = count;
        throw;
    }
    co_return;
}

}  // namespace detail

// Awaits work(i), a Task<void>, for each i below `count`, at most `limit` at a time and in this order of starting; `work`
// and what it refers to stay until then. What one throws, or the start of one for want of memory, is thrown when those
// under way have ended; no further ones are started.
template <class Work, class Spawn = UnderWay::Spawn>
Task<void> side_by_side(std::size_t count, std::size_t limit, Work& work, Spawn spawn = {})
{
    UnderWay under_way(co_await this_executor());
    std::size_t next = 0;
    co_await under_way.run(detail::start_work(under_way, limit, next, count, work, spawn));
}

}  // namespace ekiden::net
