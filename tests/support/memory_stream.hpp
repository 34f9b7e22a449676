// Runs coroutines to their end on a loop of the test's own, and the small things that stream tests need.
#pragma once

#include "net/stream.hpp"

#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>

namespace ekiden::test {

// One io_context, driven by the test's thread.
class Loop {
public:
    net::Executor executor() { return context_.get_executor(); }
    asio::io_context& context() { return context_; }

    // Runs `task` to its end (other coroutines of the loop run too) and returns its value.
    template <class T>
    T run(Task<T> task)
    {
        std::exception_ptr error;
        if constexpr (std::is_void_v<T>) {
            bool is_done = false;
            asio::co_spawn(context_, std::move(task), [&](std::exception_ptr e) { error = e, is_done = true; });
            drive(is_done);
            if (error) std::rethrow_exception(error);
        } else {
            std::optional<T> value;
            bool is_done = false;
            asio::co_spawn(context_, std::move(task), [&](std::exception_ptr e, T v) {
                error = e;
                value.emplace(std::move(v));
                is_done = true;
            });
            drive(is_done);
            if (error) std::rethrow_exception(error);
            return std::move(*value);
        }
    }
    // Starts a coroutine that runs while others are waited for.
    void start(Task<void> task) { asio::co_spawn(context_, std::move(task), asio::detached); }
    // Lets everything run that can run now.
    void poll()
    {
        context_.restart();
        context_.poll();
    }

private:
    void drive(const bool& is_done)
    {
        context_.restart();
        while (!is_done) {
            if (context_.run_one() == 0) throw std::logic_error("the loop ran dry: a coroutine waits for nothing");
        }
    }
    asio::io_context context_{1};
};

inline Task<std::string> read_to_end(net::Stream& stream)
{
    std::string all;
    std::array<char, 4096> buffer;
    while (auto count = co_await stream.read_some(buffer)) all.append(buffer.data(), *count);
    co_return all;
}

}  // namespace ekiden::test
