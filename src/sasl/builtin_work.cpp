#include "sasl/builtin_work.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <map>
#include <new>
#include <optional>

namespace ekiden::sasl {

// Lives in the frame of the coroutine that waits; others reach it only on that coroutine's core.
struct HashQueue::Waiter {
    explicit Waiter(net::Executor executor) : timer(executor) {}
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, net::Executor>
        timer;
    std::optional<Result<bool>> result;
};

std::shared_ptr<HashQueue> HashQueue::of(net::BlockingPool& pool, std::size_t max_working, std::size_t max_waiting,
                                         std::chrono::milliseconds limit)
{
    static base::Locked<std::map<net::BlockingPool*, std::weak_ptr<HashQueue>>> queues;
    auto known = queues.lock();
    std::erase_if(*known, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<HashQueue>& place = (*known)[&pool];
    auto queue = place.lock();
    if (!queue) place = queue = std::make_shared<HashQueue>(pool, max_working, max_waiting, limit);
    return queue;
}

Task<Result<bool>> HashQueue::run(std::function<Result<bool>()> work)
{
    const auto self = shared_from_this();    // a reload may drop the backend while we wait
    const net::Executor executor = co_await net::this_executor();
    const auto waiter = std::make_shared<Waiter>(executor);
    waiter->timer.expires_after(limit_);
    if (!enter({std::move(work), executor, waiter})) co_return fail(ErrorCode::unavailable, "too many logins at once");
    boost::system::error_code ignored;
    while (!waiter->result && waiter->timer.expiry() > std::chrono::steady_clock::now()) {
        co_await waiter->timer.async_wait(asio::redirect_error(use_task, ignored));
    }
    if (!waiter->result) co_return fail(ErrorCode::timeout, "the hash was not computed in time");
    co_return std::move(*waiter->result);
}

bool HashQueue::enter(Job job)
{
    {
        auto state = state_.lock();
        if (state->waiting.size() >= max_waiting_) {
            // Those who were sent away meanwhile make room.
            std::erase_if(state->waiting, [](const Job& one) { return one.waiter.expired(); });
            if (state->waiting.size() >= max_waiting_) return false;
        }
        state->waiting.push_back(std::move(job));
        if (state->working >= max_working_) return true;
        ++state->working;
    }
    start_work();
    return true;
}

void HashQueue::start_work()
{
    pool_.post([self = shared_from_this()] { self->work(); });
}

void HashQueue::work()
{
    std::optional<Job> job;
    {
        auto state = state_.lock();
        while (!state->waiting.empty() && !job) {
            if (!state->waiting.front().waiter.expired()) job = std::move(state->waiting.front());
            state->waiting.pop_front();
        }
    }
    if (job) {
        Result<bool> result = false;
        try {
            result = job->work();
        } catch (const std::bad_alloc&) {
            result = fail(ErrorCode::unavailable, "no memory to compute the hash");
        }
        answer(*job, std::move(result));
    }
    {
        auto state = state_.lock();
        if (state->waiting.empty()) {
            --state->working;
            return;
        }
    }
    // Behind whatever else waits for the pool.
    start_work();
}

void HashQueue::answer(const Job& job, Result<bool> result)
{
    if (job.waiter.expired()) return;
    // (The cores outlive the pool, so the executor is good even if the waiter goes at this moment.)
    asio::post(job.executor, [weak = job.waiter, result = std::move(result)]() mutable {
        const auto waiter = weak.lock();
        if (!waiter) return;
        waiter->result = std::move(result);
        waiter->timer.expires_after(std::chrono::seconds(0));    // wakes who waits
    });
}

}  // namespace ekiden::sasl
