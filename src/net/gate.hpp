// Counts work in flight on one core; close() refuses new work and wait() ends when the old is done (Seastar's gate).
#pragma once

#include "net/task.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace ekiden::net {

class Gate {
public:
    explicit Gate(Executor executor) : timer_(executor, asio::steady_timer::time_point::max()) {}
    // A pass is held by each piece of work for as long as it runs.
    class Pass {
    public:
        explicit Pass(Gate* gate) : gate_(gate) { ++gate_->count_; }
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&&) = delete;
        ~Pass() { if (gate_) gate_->leave(); }

    private:
        Gate* gate_;
    };
    bool is_closed() const { return is_closed_; }
    std::size_t count() const { return count_; }
    Pass enter() { return Pass(this); }
    void close() { is_closed_ = true; }
    Task<void> wait()
    {
        while (count_ > 0) {
            boost::system::error_code ignored;
            co_await timer_.async_wait(asio::redirect_error(use_task, ignored));
        }
    }

private:
    void leave() { if (--count_ == 0) timer_.cancel(); }
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>
        timer_;
    std::size_t count_ = 0;
    bool is_closed_ = false;
};

}  // namespace ekiden::net
