// A small pool of threads for work that blocks (file delivery, tables that ask other processes). The awaiting side sees
// an ordinary co_await and comes back on its own core. The queue of waiting work is bounded by back-pressure: callers
// wait their turn. Thread: any.
#pragma once

#include "net/task.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

namespace ekiden::net {

class BlockingPool {
public:
    explicit BlockingPool(unsigned threads);
    ~BlockingPool();    // waits for what runs, drops what waits; before the cores that await it are destroyed
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    // Work that waits for the same slow thing. At most `limit` pieces of it run at a time; the rest stands aside, so that
    // one thing that hangs does not take the threads all others need. Outlives the pool or ends with its last holder.
    struct Lane;
    static std::shared_ptr<Lane> make_lane(unsigned limit);

    template <class F>
    Task<std::invoke_result_t<F>>
    run(F function,
        std::shared_ptr<Lane> lane = nullptr);  // function() on a pool thread; exceptions come back to the caller

    void post(std::function<void()> work, std::shared_ptr<Lane> lane = nullptr);

private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
};

template <class F>
Task<std::invoke_result_t<F>> BlockingPool::run(F function, std::shared_ptr<Lane> lane)
{
    using T = std::invoke_result_t<F>;
    auto executor = co_await asio::this_coro::executor;
    // The handler moves from the pool's queue into the core's queue; no reference to it stays on the pool's thread,
    // so that the coroutine is never torn down there.
    auto start = [this, executor, &function, &lane](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        post([shared = std::move(shared), executor, &function]() mutable {
            std::exception_ptr error;
            if constexpr (std::is_void_v<T>) {
                try { function(); } catch (...) { error = std::current_exception(); }
                asio::post(executor, [shared = std::move(shared), error] { (*shared)(error); });
            } else {
                std::optional<T> value;
                try { value.emplace(function()); } catch (...) { error = std::current_exception(); }
                asio::post(executor, [shared = std::move(shared), error, value = std::move(value)]() mutable {
                    (*shared)(error, value ? std::move(*value) : T{});
                });
            }
        }, lane);
    };
    if constexpr (std::is_void_v<T>)
        co_await asio::async_initiate<const net::UseTask, void(std::exception_ptr)>(start, use_task);
    else co_return co_await asio::async_initiate<const net::UseTask, void(std::exception_ptr, T)>(start, use_task);
}

}  // namespace ekiden::net
