#include "sasl/cyrus_threads.hpp"

#include <cerrno>
#include <cstring>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace ekiden::sasl {
namespace {

// Plug-ins leave what they read from the password database in their frames. The stack below ours is written over.
[[gnu::noinline]] void wipe_stack()
{
    char frames[64 * 1024];
    ::explicit_bzero(frames, sizeof frames);
}

}  // namespace

CyrusReply take_cyrus_step(CyrusLogin& login, std::optional<Secret> response)
{
    CyrusReply reply = login.step(std::move(response));
    wipe_stack();
    return reply;
}

struct CyrusThreads::Shared {
    struct Step {
        CyrusExchangePtr exchange;
        std::optional<Secret> response;
    };
    mutable std::mutex mutex;
    std::condition_variable has_work, has_fewer;
    std::deque<Step> steps;
    std::vector<Done> done;
    unsigned most = 0, alive = 0;
    Begun begun;
    bool is_ending = false;
    Fd wake;

    // With the mutex held.
    void put_done(Done one)
    {
        done.push_back(std::move(one));
        const std::uint64_t once = 1;
        (void)!::write(wake.get(), &once, sizeof once);
    }
};

CyrusThreads::CyrusThreads(unsigned most) : shared_(std::make_shared<Shared>())
{
    shared_->most = most;
    shared_->wake = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!shared_->wake) throw std::system_error(errno, std::generic_category(), "eventfd");
}

CyrusThreads::~CyrusThreads()
{
    std::unique_lock lock(shared_->mutex);
    shared_->is_ending = true;
    shared_->steps.clear();
    shared_->has_work.notify_all();
    shared_->has_fewer.wait(lock, [&] { return shared_->alive == shared_->begun.size(); });
}

void CyrusThreads::submit(CyrusExchangePtr exchange, std::optional<Secret> response)
{
    std::lock_guard lock(shared_->mutex);
    exchange->is_begun = false;
    shared_->steps.push_back({std::move(exchange), std::move(response)});
    if (shared_->alive - shared_->begun.size() < shared_->steps.size() && shared_->alive < shared_->most) {
        try {
            std::thread(work, shared_).detach();
            ++shared_->alive;
        } catch (const std::system_error&) {
            // No more threads to be had: those that are there will come to it, or its wait will end.
        }
    }
    shared_->has_work.notify_one();
}

CyrusThreads::Begun::iterator CyrusThreads::adopt(SteadyTime begun_at)
{
    std::lock_guard lock(shared_->mutex);
    ++shared_->alive;
    return shared_->begun.insert(shared_->begun.end(), begun_at);
}

void CyrusThreads::give_back(Begun::iterator adopted, Done done)
{
    std::lock_guard lock(shared_->mutex);
    --shared_->alive;
    shared_->begun.erase(adopted);
    shared_->put_done(std::move(done));
    shared_->has_fewer.notify_all();
}

std::vector<CyrusThreads::Done> CyrusThreads::take_done()
{
    std::uint64_t count = 0;
    (void)!::read(shared_->wake.get(), &count, sizeof count);
    std::lock_guard lock(shared_->mutex);
    return std::exchange(shared_->done, {});
}

int CyrusThreads::wake_fd() const
{
    return shared_->wake.get();
}

std::size_t CyrusThreads::waiting() const
{
    std::lock_guard lock(shared_->mutex);
    return shared_->steps.size();
}

bool CyrusThreads::all_hang(std::chrono::milliseconds limit) const
{
    std::lock_guard lock(shared_->mutex);
    const SteadyTime before = base::steady_now() - limit;
    return shared_->begun.size() >= shared_->most &&
           std::ranges::all_of(shared_->begun, [&](SteadyTime begun) { return begun < before; });
}

void CyrusThreads::work(const std::shared_ptr<Shared>& given)
{
    const std::shared_ptr<Shared> shared = given;
    std::unique_lock lock(shared->mutex);
    for (;;) {
        shared->has_work.wait(lock, [&] { return shared->is_ending || !shared->steps.empty(); });
        if (shared->is_ending) break;
        Shared::Step step = std::move(shared->steps.front());
        shared->steps.pop_front();
        Done done{step.exchange, std::nullopt};
        if (!step.exchange->is_given_up) {
            step.exchange->is_begun = true;
            const auto own = shared->begun.insert(shared->begun.end(), base::steady_now());
            lock.unlock();
            const auto began = std::chrono::steady_clock::now();
            done.reply = take_cyrus_step(*step.exchange->login, std::move(step.response));
            done.took = std::chrono::steady_clock::now() - began;
            lock.lock();
            shared->begun.erase(own);
        }
        if (shared->is_ending) break;
        shared->put_done(std::move(done));
    }
    --shared->alive;
    shared->has_fewer.notify_all();
}

}  // namespace ekiden::sasl
