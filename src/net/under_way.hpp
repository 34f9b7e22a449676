// Pieces of work that are started one by one while others are under way, all on the starter's core; side_by_side() is for
// those whose number is known before.
#pragma once

#include "net/gate.hpp"

#include <cstddef>
#include <exception>
#include <utility>

namespace ekiden::net {

// start() and wait() are for the starter, which run() awaits: so nothing that pieces work on goes while one is under way.
class UnderWay {
public:
    explicit UnderWay(Executor executor)
        : executor_(executor), one_has_ended_(executor, decltype(one_has_ended_)::time_point::max())
    {
    }
    UnderWay(const UnderWay&) = delete;    // pieces under way know where it is
    UnderWay& operator=(const UnderWay&) = delete;

    struct Spawn {
        void operator()(const Executor& executor, Task<void> task) const
        {
            asio::co_spawn(executor, std::move(task), asio::detached);
        }
    };

    // Awaits `starter`, then the pieces it has started, whatever either throws; then throws the first of that.
    Task<void> run(Task<void> starter)
    {
        auto all_have_ended = wait();    // made now: it takes memory, too
        try {
            co_await std::move(starter);
        } catch (...) {
            keep_error();
        }
        co_await std::move(all_have_ended);
    }

    // Throws for want of memory; then this one is not under way.
    template <class With = Spawn>
    void start(Task<void> piece, With&& spawn = {})
    {
        spawn(executor_, along(Place(*this), std::move(piece)));
    }

    // Until at most `most` are under way; then throws what the first one threw that did, each time that it is asked.
    Task<void> wait(std::size_t most = 0)
    {
        while (count_ > most) {
            boost::system::error_code ignored;
            co_await one_has_ended_.async_wait(asio::redirect_error(use_task, ignored));
        }
        if (error_) std::rethrow_exception(error_);
    }

private:
    // Counts a piece from before it is started until its coroutine is gone, and so where it could not be started, too.
    class Place {
    public:
        explicit Place(UnderWay& all) : all_(&all) { ++all_->count_; }
        Place(Place&& other) noexcept : all_(std::exchange(other.all_, nullptr)) {}
        Place& operator=(Place&&) = delete;
        ~Place()
        {
            if (!all_) return;
            --all_->count_;
            all_->one_has_ended_.cancel();
        }

    private:
        UnderWay* all_;
    };

    Task<void> along(Place, Task<void> piece)
    {
        try {
            co_await std::move(piece);
        } catch (...) {
            keep_error();
        }
    }

    void keep_error()
    {
        if (!error_) error_ = std::current_exception();
    }

    Executor executor_;
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>
        one_has_ended_;
    std::size_t count_ = 0;
    std::exception_ptr error_;
};

}  // namespace ekiden::net
