#include "deliver/helper/sync_crew.hpp"

#include "deliver/helper/channel.hpp"
#include "deliver/helper/maildir.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <utility>

namespace ekiden::deliver {

namespace {

constexpr std::size_t in_hand_limit = 160;        // so that more is written while a group goes to disk
constexpr std::size_t enough_named = 32;         // to sync their folder without waiting for more
constexpr std::size_t most_threads = 16;          // where the disk's flush takes long
constexpr std::size_t few_threads = 2;            // where it does not: more would only get in each other's way
constexpr std::chrono::microseconds slow_sync{400};
// Messages that are answered one by one come back one by one, each to pay for a folder sync of its own: where several are
// on their way, their folder is not synced more often than this.
constexpr std::chrono::milliseconds group_time{2};
constexpr std::chrono::seconds idle_time{5};      // then a thread ends

}  // namespace

void SyncCrew::add(std::unique_ptr<Act> act)
{
    Lock lock(mutex_);
    quiet_.wait(lock, [&] { return in_hand_ < in_hand_limit; });
    ++in_hand_;
    written_.push_back(std::move(act));
    if (idle_ < written_.size() && threads_ < wanted_threads() && start_thread()) return;
    if (threads_ > 0) {
        wake_.notify_one();
        return;
    }
    // No thread to be had (the user's process limit): then here.
    while (in_hand_ > 0) step(lock);
}

void SyncCrew::drain()
{
    Lock lock(mutex_);
    is_draining_ = true;
    wake_.notify_all();
    quiet_.wait(lock, [&] { return threads_ == 0; });
    is_draining_ = false;
}

std::size_t SyncCrew::wanted_threads() const
{
    return usual_time_ > slow_sync ? most_threads : few_threads;
}

bool SyncCrew::start_thread()
{
    ++threads_;
    try {
        std::thread([this] { run(); }).detach();
        return true;
    } catch (const std::system_error&) {
        --threads_;
        return false;
    }
}

void SyncCrew::run()
{
    Lock lock(mutex_);
    for (;;) {
        if (step(lock)) continue;
        if (is_draining_ && in_hand_ == 0) break;
        ++idle_;
        bool is_waiting_for_group = next_named() != nullptr;
        auto status = is_waiting_for_group ? wake_.wait_until(lock, next_group_at_) : wake_.wait_for(lock, idle_time);
        --idle_;
        // Not with work at hand: what was just added may have woken this one and nobody else.
        bool is_needed = !written_.empty() || !named_.empty() || (in_hand_ > 0 && threads_ <= few_threads);
        if (status == std::cv_status::timeout && !is_waiting_for_group && !is_needed) break;
    }
    --threads_;
    quiet_.notify_all();
}

bool SyncCrew::step(Lock& lock)
{
    if (!is_syncing_group_ && together_.is_due(written_.size()) && GroupSync::is_known(written_.front()->file.get()))
        return sync_group(lock), true;
    if (!written_.empty() && !is_syncing_group_) return sync_file(lock), true;
    bool is_time = threads_ == 0 || is_draining_ || last_group_ < 2 || named_.size() >= enough_named ||
                   base::steady_now() >= next_group_at_;
    const Act* next = is_time ? next_named() : nullptr;
    if (!next) return false;
    sync_folder(lock, next->folder);
    return true;
}

const Act* SyncCrew::next_named() const
{
    auto at = std::ranges::find_if(named_, [this](const auto& act) { return !syncing_.contains(act->folder); });
    return at == named_.end() ? nullptr : at->get();
}

void SyncCrew::sync_file(Lock& lock)
{
    std::unique_ptr<Act> act = std::move(written_.front());
    written_.pop_front();
    lock.unlock();
    SteadyTime began = base::steady_now();
    sync_maildir_file(*act);
    auto took = base::steady_now() - began;
    lock.lock();
    usual_time_ += (took - usual_time_) / 8;
    named_.push_back(std::move(act));
}

// One thread does it for all; what is written meanwhile waits for its turn, and is more then.
void SyncCrew::sync_group(Lock& lock)
{
    // Of one file system, as nearly all Maildirs of one user are; the others have their turn.
    struct stat first{}, other{};
    ::fstat(written_.front()->file.get(), &first);
    std::vector<std::unique_ptr<Act>> group;
    for (auto& act : written_)
        if (::fstat(act->file.get(), &other) == 0 && other.st_dev == first.st_dev) group.push_back(std::move(act));
    std::erase(written_, nullptr);
    is_syncing_group_ = true;
    lock.unlock();
    auto took = GroupSync::run(group, false);
    std::vector<HelperAnswer> answers;
    answers.reserve(group.size());
    for (auto& act : group) answers.push_back(std::move(act->answer));
    reply(engine_, answers);
    lock.lock();
    is_syncing_group_ = false;
    together_.note(took);
    in_hand_ -= group.size();
    quiet_.notify_all();
    wake_.notify_all();
}

void SyncCrew::sync_folder(Lock& lock, std::string folder)
{
    std::vector<std::unique_ptr<Act>> group;
    for (auto& act : named_)
        if (act->folder == folder) group.push_back(std::move(act));
    std::erase(named_, nullptr);
    auto at = syncing_.insert(std::move(folder)).first;
    next_group_at_ = base::steady_now() + group_time;
    lock.unlock();
    sync_maildir_folders(group);
    std::vector<HelperAnswer> answers;
    answers.reserve(group.size());
    for (auto& act : group) answers.push_back(std::move(act->answer));
    reply(engine_, answers);
    lock.lock();
    syncing_.erase(at);
    last_group_ = group.size();
    in_hand_ -= group.size();
    quiet_.notify_all();
    if (is_draining_) wake_.notify_all();
    else if (!named_.empty()) wake_.notify_one();
}

}  // namespace ekiden::deliver
