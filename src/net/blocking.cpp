#include "net/blocking.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <signal.h>

namespace ekiden::net {

// Belongs to the pool it was last used with; that pool's mutex guards it.
struct BlockingPool::Lane {
    explicit Lane(unsigned most) : limit(most) {}
    const unsigned limit;
    unsigned started = 0;      // running, or waiting for a thread
    std::deque<std::function<void()>> aside;
};

struct BlockingPool::Shared {
    struct Work {
        std::function<void()> function;
        std::shared_ptr<Lane> lane;
    };
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Work> waiting;
    std::set<std::shared_ptr<Lane>> crowded;   // lanes with something standing aside
    bool is_stopping = false;
    std::vector<std::thread> threads;

    void work()
    {
        pthread_setname_np(pthread_self(), "blocking");
        std::unique_lock lock(mutex);
        for (;;) {
            changed.wait(lock, [this] { return is_stopping || !waiting.empty(); });
            if (is_stopping) return;
            auto next = std::move(waiting.front());
            waiting.pop_front();
            lock.unlock();
            next.function();
            next.function = nullptr;   // what it held must not live on while this thread waits
            lock.lock();
            if (next.lane) leave(std::move(next.lane));
        }
    }
    // One of the lane is done: the next of it takes its place, behind all others that wait.
    void leave(std::shared_ptr<Lane> lane)
    {
        --lane->started;
        if (lane->aside.empty() || is_stopping) return;
        waiting.push_back({std::move(lane->aside.front()), lane});
        lane->aside.pop_front();
        ++lane->started;
        if (lane->aside.empty()) crowded.erase(lane);
        changed.notify_one();
    }
};

BlockingPool::BlockingPool(unsigned threads) : shared_(std::make_shared<Shared>())
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < std::max(1U, threads); ++i) {
        shared_->threads.emplace_back([shared = shared_.get()] { shared->work(); });
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BlockingPool::~BlockingPool()
{
    std::deque<Shared::Work> dropped;
    std::deque<std::function<void()>> dropped_aside;
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->is_stopping = true;
        dropped.swap(shared_->waiting);
        for (Shared::Work& work : dropped)
            if (work.lane) --work.lane->started;
        for (const auto& lane : shared_->crowded) {
            for (auto& function : lane->aside) dropped_aside.push_back(std::move(function));
            lane->aside.clear();
        }
        shared_->crowded.clear();
    }
    shared_->changed.notify_all();
    for (auto& thread : shared_->threads) thread.join();
}

std::shared_ptr<BlockingPool::Lane> BlockingPool::make_lane(unsigned limit)
{
    return std::make_shared<Lane>(std::max(1U, limit));
}

void BlockingPool::post(std::function<void()> work, std::shared_ptr<Lane> lane)
{
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->is_stopping) return;
        if (lane && lane->started >= lane->limit) {
            lane->aside.push_back(std::move(work));
            shared_->crowded.insert(std::move(lane));
            return;
        }
        if (lane) ++lane->started;
        shared_->waiting.push_back({std::move(work), std::move(lane)});
    }
    shared_->changed.notify_one();
}

}  // namespace ekiden::net
