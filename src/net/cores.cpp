#include "net/cores.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <pthread.h>
#include <sched.h>
#include <signal.h>

namespace ekiden::net {

unsigned usable_cpus()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return static_cast<unsigned>(CPU_COUNT(&set));
    return std::max(1U, std::thread::hardware_concurrency());
}

Cores::Cores(unsigned count)
{
    if (count == 0) count = usable_cpus();
    cores_.reserve(count);
    for (unsigned i = 0; i < count; ++i) cores_.push_back(std::make_unique<Core>(i));
}

Cores::~Cores() { stop(); }

void Cores::start()
{
    // Threads inherit the mask: signals go to the main thread only, which waits for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (auto& core : cores_) {
        threads_.emplace_back([context = &core->context_, index = core->index_] {
            const std::string name = "core/" + std::to_string(index);
            pthread_setname_np(pthread_self(), name.c_str());
            context->run();
        });
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Cores::stop()
{
    if (std::exchange(is_stopped_, true)) return;
    for (auto& core : cores_) core->context_.stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    for (auto& core : cores_) core->context_.destroy_pending();
}

Core& Cores::next() { return *cores_[next_.fetch_add(1, std::memory_order_relaxed) % cores_.size()]; }

Task<void> sleep_for(std::chrono::microseconds time)
{
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> timer(
        co_await asio::this_coro::executor, time);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(use_task, ignored));
}

}  // namespace ekiden::net
