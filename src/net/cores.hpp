// One thread and one io_context per core. A session, its timers and its sockets stay on the core they began on.
#pragma once

#include "net/task.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace ekiden::net {

class Core {
public:
    // One thread runs it, and sockets are touched by that thread only: their operations need no locks.
    explicit Core(unsigned index)
        : index_(index), context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO), work_(context_.get_executor())
    {
    }
    unsigned index() const { return index_; }
    asio::io_context& context() { return context_; }
    Executor executor() { return context_.get_executor(); }
    // Runs `f` on this core's thread, soon. Thread: any.
    template <class F>
    void post(F f) { asio::post(context_, std::move(f)); }

private:
    friend class Cores;
    // Lets stop() destroy what is pending on every core while all contexts still exist: a coroutine of one core may
    // hold a socket of another.
    struct Context : asio::io_context {
        using asio::io_context::io_context;
        void destroy_pending() { shutdown(); }
    };
    unsigned index_;
    Context context_;
    asio::executor_work_guard<Executor> work_;
};

class Cores {
public:
    explicit Cores(unsigned count);   // 0 = one per CPU this process may use
    ~Cores();                         // stop() first
    void start();                     // starts the threads; signals are blocked in them
    void stop();                      // ends the loops and joins; pending coroutines are destroyed
    std::size_t size() const { return cores_.size(); }
    Core& at(std::size_t index) { return *cores_[index]; }
    Core& next();                     // round robin. Thread: any.

private:
    std::vector<std::unique_ptr<Core>> cores_;
    std::vector<std::thread> threads_;
    bool is_stopped_ = false;
    std::atomic<unsigned> next_{0};
};

// The CPUs this process may run on (affinity mask); at least 1.
unsigned usable_cpus();

// Runs `task` on `executor` and waits for it from another core's coroutine; comes back on the caller's core.
template <class T>
Task<T> run_on(Executor executor, Task<T> task)
{
    co_return co_await asio::co_spawn(executor, std::move(task), use_task);
}

}  // namespace ekiden::net
