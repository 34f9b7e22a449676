#include "net/blocking.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <signal.h>

namespace ekiden::net {

struct BlockingPool::Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> waiting;
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
            next();
            next = nullptr;   // what it held must not live on while this thread waits
            lock.lock();
        }
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
    std::deque<std::function<void()>> dropped;
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->is_stopping = true;
        dropped.swap(shared_->waiting);
    }
    shared_->changed.notify_all();
    for (auto& thread : shared_->threads) thread.join();
}

void BlockingPool::post(std::function<void()> work)
{
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->is_stopping) return;
        shared_->waiting.push_back(std::move(work));
    }
    shared_->changed.notify_one();
}

}  // namespace ekiden::net
