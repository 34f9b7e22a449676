// HashQueue: computing hashes on the blocking pool, a few at a time, so that a flood of logins holds up nobody else
// there. Those who come when too many wait are sent away at once, and nobody waits longer than the limit: both get
// `unavailable`, to be said as "try later". Thread: any.
#pragma once

#include "base/locked.hpp"
#include "base/result.hpp"
#include "net/blocking.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>

namespace ekiden::sasl {

class HashQueue : public std::enable_shared_from_this<HashQueue> {
public:
    HashQueue(net::BlockingPool& pool, std::size_t max_working, std::size_t max_waiting,
              std::chrono::milliseconds limit)
        : pool_(pool), max_working_(max_working), max_waiting_(max_waiting), limit_(limit)
    {
    }

    // The one queue of a pool: all services share it, and the settings before a reload with those after it, so that
    // their number does not multiply the threads that logins can take. The limits are those of who came first.
    static std::shared_ptr<HashQueue> of(net::BlockingPool& pool, std::size_t max_working, std::size_t max_waiting,
                                         std::chrono::milliseconds limit);

    // Runs `work` on the pool and comes back on the caller's core with its answer. The work may still run when the
    // caller was sent away, so it must own what it needs (Secrets in a shared_ptr).
    Task<Result<bool>> run(std::function<Result<bool>()> work);

private:
    struct Waiter;
    struct Job {
        std::function<Result<bool>()> work;
        net::Executor executor;
        std::weak_ptr<Waiter> waiter;    // gone: nobody wants the answer any more
    };
    struct State {
        std::deque<Job> waiting;
        std::size_t working = 0;
    };

    bool enter(Job job);     // false: too many
    void start_work();
    void work();             // one job, on a thread of the pool
    static void answer(const Job& job, Result<bool> result);

    net::BlockingPool& pool_;
    const std::size_t max_working_, max_waiting_;
    const std::chrono::milliseconds limit_;
    base::Locked<State> state_;
};

}  // namespace ekiden::sasl
