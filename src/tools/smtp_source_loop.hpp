// The event loop of smtp-source and smtp-sink: one thread, level-triggered epoll, one deadline per handler.
//
// These programs measure servers, so they must cost less than what they measure: a conversation step is one
// epoll_wait shared by everybody who is ready, one read and one write, and no allocation. The servers' own coroutine
// streams are not used here on purpose; a fault in them must not hide itself on both ends of a test.
// A handler belongs to its creator and may destroy itself only inside its own callback. Thread: the loop's only.
#pragma once

#include "base/fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace ekiden::tools {

class EventLoop {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    class Handler {
    public:
        explicit Handler(EventLoop& loop) : loop_(loop) {}
        virtual ~Handler() { clear_deadline(); }
        Handler(const Handler&) = delete;
        Handler& operator=(const Handler&) = delete;

        virtual void on_ready(std::uint32_t events) = 0;  // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR
        virtual void on_deadline() = 0;

    protected:
        // Replaces the deadline. Moving it later is free, which is what an idle timeout does after every step.
        void set_deadline(Time at);
        void set_deadline(Duration from_now) { set_deadline(loop_.now() + from_now); }
        void clear_deadline();
        EventLoop& loop() { return loop_; }

    private:
        friend class EventLoop;
        EventLoop& loop_;
        std::optional<Time> deadline_;
        std::optional<std::multimap<Time, Handler*>::iterator> timer_;
    };

    EventLoop();

    // Watching ends when the descriptor is closed.
    Result<void> watch(int fd, std::uint32_t events, Handler& handler);
    void change(int fd, std::uint32_t events, Handler& handler);

    // Called after each round, before the loop sleeps: the place to write out what the round has collected.
    void after_round(std::function<void()> action) { after_round_ = std::move(action); }

    // Returns the status given to stop(), or 1 when epoll itself fails.
    int run();
    void stop(int status);
    bool is_stopping() const { return status_.has_value(); }

    Time now() const { return now_; }  // the time at which this round began

private:
    int wait_limit() const;
    void run_deadlines();

    Fd epoll_;
    Time now_ = std::chrono::steady_clock::now();
    std::multimap<Time, Handler*> timers_;
    std::optional<int> status_;
    std::function<void()> after_round_;
};

}  // namespace ekiden::tools
