// Task<T>: a coroutine that runs on one core's io_context, with the concrete executor (no type erasure on hot paths).
//
// Parameters of a Task are taken by value, or refer to something the caller keeps across the co_await. No capturing
// lambda coroutines. Whoever starts a coroutine waits for it; the few detached ones are counted by a Gate.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <coroutine>
#include <utility>

namespace ekiden {
namespace asio = boost::asio;
}

namespace ekiden::net {

using Executor = asio::io_context::executor_type;
template <class T = void>
using Task = asio::awaitable<T, Executor>;
using UseTask = asio::use_awaitable_t<Executor>;
inline constexpr UseTask use_task{};

Task<void> sleep_for(std::chrono::microseconds time);

// The executor of the running coroutine: co_await net::this_executor().
inline auto this_executor() { return asio::this_coro::executor; }

}  // namespace ekiden::net

namespace ekiden {
using net::Task;
using net::use_task;
}  // namespace ekiden
