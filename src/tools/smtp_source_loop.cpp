#include "tools/smtp_source_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/epoll.h>

namespace ekiden::tools {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

void EventLoop::Handler::set_deadline(Time at)
{
    deadline_ = at;
    // An entry that fires early finds the later deadline and is put back then: one map operation per timeout instead
    // of one per step.
    if (timer_ && (*timer_)->first <= at) return;
    if (timer_) loop_.timers_.erase(*timer_);
    timer_ = loop_.timers_.emplace(at, this);
}

void EventLoop::Handler::clear_deadline()
{
    deadline_.reset();
    if (timer_) loop_.timers_.erase(*timer_);
    timer_.reset();
}

Result<void> EventLoop::watch(int fd, std::uint32_t events, Handler& handler)
{
    epoll_event event{.events = events, .data = {.ptr = &handler}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) return fail(Error::from_errno("epoll_ctl"));
    return {};
}

void EventLoop::change(int fd, std::uint32_t events, Handler& handler)
{
    epoll_event event{.events = events, .data = {.ptr = &handler}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

int EventLoop::wait_limit() const
{
    if (timers_.empty()) return -1;
    const auto left = timers_.begin()->first - std::chrono::steady_clock::now();
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::clamp<long>(milliseconds, 0, 60'000));
}

void EventLoop::run_deadlines()
{
    while (!timers_.empty() && timers_.begin()->first <= now_ && !is_stopping()) {
        Handler& handler = *timers_.begin()->second;
        timers_.erase(timers_.begin());
        handler.timer_.reset();
        if (!handler.deadline_) continue;
        if (*handler.deadline_ > now_) {
            handler.set_deadline(*handler.deadline_);
            continue;
        }
        handler.deadline_.reset();
        handler.on_deadline();
    }
}

int EventLoop::run()
{
    std::array<epoll_event, 256> events;
    while (!is_stopping()) {
        if (after_round_) after_round_();
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_limit());
        if (count < 0 && errno != EINTR) stop(1);
        now_ = std::chrono::steady_clock::now();
        for (int i = 0; i < count && !is_stopping(); ++i)
            static_cast<Handler*>(events[i].data.ptr)->on_ready(events[i].events);
        run_deadlines();
    }
    if (after_round_) after_round_();
    return *status_;
}

void EventLoop::stop(int status)
{
    if (!status_) status_ = status;
}

}  // namespace ekiden::tools
