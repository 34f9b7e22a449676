// The deadline of a stream: one timer, moved lazily. Setting a later deadline costs nothing; the timer finds out when it
// goes off and sleeps on. One owner, one core. A callback never comes after the Deadline is destroyed.
#pragma once

#include "base/clock.hpp"
#include "net/task.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>

namespace ekiden::net {

using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

class Deadline {
public:
    // `on_expiry` is called each time a deadline passes while operations are pending.
    Deadline(Executor executor, std::function<void()> on_expiry);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    void set(SteadyTime at);
    SteadyTime at() const { return at_; }
    bool has_passed() const { return at_ != SteadyTime::max() && base::steady_now() >= at_; }
    // Around an operation that suspends: only then the timer needs to run.
    void begin_wait();
    void end_wait() { --waiting_; }

private:
    struct Alarm;
    void arm();
    void on_timer();
    SteadyTime at_ = SteadyTime::max();
    SteadyTime armed_for_ = SteadyTime::max();   // max = not armed
    int waiting_ = 0;
    std::function<void()> on_expiry_;
    std::shared_ptr<Alarm> alarm_;
};

}  // namespace ekiden::net
