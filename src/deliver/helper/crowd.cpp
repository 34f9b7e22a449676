#include "deliver/helper/crowd.hpp"

#include "deliver/helper/acts.hpp"
#include "deliver/helper/as_user.hpp"
#include "deliver/helper/channel.hpp"
#include "deliver/helper/group_sync.hpp"
#include "deliver/helper/maildir.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

constexpr std::size_t most_threads = 24;       // each waits for a disk most of the time
constexpr std::size_t waiting_limit = 500;
constexpr std::size_t group_limit = 64;
constexpr std::size_t in_hand_limit = 1000;    // each with three descriptors
// Homes may be on file systems of the users' own making (FUSE), which answer when they like, or never: of one user only so
// many are worked on at a time, and only so many wait for that.
constexpr std::size_t threads_for_one = 4;
constexpr std::size_t most_for_one = 100;

class Crowd {
public:
    explicit Crowd(int engine) : engine_(engine) {}

    // The thread that receives never becomes anybody, unless there is no other thread to be had.
    void add(std::unique_ptr<Act> act)
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return waiting_.size() < waiting_limit && in_hand_ < in_hand_limit; });
        User& user = users_[act->request.uid];
        if (user.in_hand == most_for_one) {
            lock.unlock();
            return refuse(engine_, act->request.number, "wait for the user's other mail", EAGAIN);
        }
        ++user.in_hand;
        waiting_.push_back(std::move(act));
        ++in_hand_;
        if (idle_ < waiting_.size() && threads_ < most_threads) start_thread();
        if (threads_ > 0) return wake_.notify_one();
        while (step(lock)) {}
    }

    // Until everything is answered.
    void finish()
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return in_hand_ == 0; });
    }

private:
    using Lock = std::unique_lock<std::mutex>;
    struct Disk {
        std::vector<std::unique_ptr<Act>> written;
        bool is_busy = false;      // one thread brings files of it to disk
        bool has_group_sync = false;
        GroupSync together;
    };

    struct User {
        std::size_t in_hand = 0, threads = 0;
    };

    void leave(const Act& act)
    {
        --in_hand_;
        const auto user = users_.find(act.request.uid);
        if (--user->second.in_hand == 0) users_.erase(user);
    }

    void start_thread()
    {
        try {
            std::thread([this] { run(); }).detach();
            ++threads_;
        } catch (const std::system_error&) {
        }
    }

    [[noreturn]] void run()
    {
        Lock lock(mutex_);
        for (;;) {
            if (step(lock)) continue;
            ++idle_;
            wake_.wait(lock);
            --idle_;
        }
    }

    bool may_work_on(const std::unique_ptr<Act>& act) { return users_[act->request.uid].threads < threads_for_one; }

    // False: nothing to do now.
    bool step(Lock& lock)
    {
        // Writing first, so that there is more to bring to disk together; but nobody waits for ever.
        const auto next = std::ranges::find_if(waiting_, [this](const auto& act) { return may_work_on(act); });
        for (auto& [device, disk] : disks_) {
            if (next != waiting_.end() && disk.written.size() < group_limit) continue;
            if (bring_to_disk(lock, disk)) return true;
        }
        if (next == waiting_.end()) return false;
        auto act = std::move(*next);
        waiting_.erase(next);
        changed_.notify_all();
        Written written;
        work_on(lock, *act, [&] { written = write(*act); });
        if (written.is_done) {
            Disk& disk = disks_[written.device];
            disk.has_group_sync = written.has_group_sync;
            disk.written.push_back(std::move(act));
        } else {
            lock.unlock();
            reply(engine_, act->answer);
            lock.lock();
            leave(*act);
            changed_.notify_all();
        }
        return true;
    }

    // What may take as long as the user's file system likes.
    template <class Work>
    void work_on(Lock& lock, const Act& act, Work work)
    {
        User& user = users_[act.request.uid];
        ++user.threads;
        lock.unlock();
        work();
        lock.lock();
        if (user.threads-- == threads_for_one) wake_.notify_one();   // what was passed over may be next
    }

    struct Written {
        bool is_done = false, has_group_sync = false;
        dev_t device = 0;
    };

    static Written write(Act& act)
    {
        const AsUser user(act.request.uid, act.request.gid);
        if (!user.is_done()) return fail_act(act, "become user"), Written();
        if (is_withheld(act) || !write_maildir_file(act)) return {};
        struct stat info{};
        if (::fstat(act.file.get(), &info) < 0) info.st_dev = 0;
        return {true, GroupSync::is_known(act.file.get()), info.st_dev};
    }

    // False: not now.
    bool bring_to_disk(Lock& lock, Disk& disk)
    {
        if (disk.is_busy) return false;
        if (!disk.has_group_sync || !disk.together.is_due(disk.written.size())) return bring_one(lock, disk);
        std::vector<std::unique_ptr<Act>> acts = std::exchange(disk.written, {});
        disk.is_busy = true;
        lock.unlock();
        const auto took = GroupSync::run(acts, true);
        std::vector<HelperAnswer> answers;
        answers.reserve(acts.size());
        for (auto& act : acts) answers.push_back(std::move(act->answer));
        reply(engine_, answers);
        lock.lock();
        for (const auto& act : acts) leave(*act);
        disk.is_busy = false;
        disk.together.note(took);
        if (!disk.written.empty()) wake_.notify_one();
        changed_.notify_all();
        return true;
    }

    // One by one, side by side with others: syncs that run together share the disk's flush.
    bool bring_one(Lock& lock, Disk& disk)
    {
        const auto next = std::ranges::find_if(disk.written, [this](const auto& act) { return may_work_on(act); });
        if (next == disk.written.end()) return false;
        auto act = std::move(*next);
        disk.written.erase(next);
        if (!disk.written.empty()) wake_.notify_one();
        work_on(lock, *act, [&] {
            bring_one(*act);
            reply(engine_, act->answer);
        });
        leave(*act);
        changed_.notify_all();
        return true;
    }

    static void bring_one(Act& act)
    {
        const AsUser user(act.request.uid, act.request.gid);
        if (!user.is_done()) return fail_act(act, "become user");
        if (sync_maildir_file(act)) sync_maildir_folder(act);
    }

    const int engine_;
    std::mutex mutex_;
    std::condition_variable wake_, changed_;
    std::deque<std::unique_ptr<Act>> waiting_;
    std::map<dev_t, Disk> disks_;
    std::map<uid_t, User> users_;    // who has mail in hand
    std::size_t in_hand_ = 0;        // not answered
    std::size_t threads_ = 0, idle_ = 0;
};

}  // namespace

void serve_crowd(int requests, int engine)
{
    ::umask(0077);
    auto* crowd = new Crowd(engine);    // its threads never end: neither does it
    while (auto act = receive_act(requests, engine)) {
        if (act->request.kind == HelperRequest::Kind::maildir) crowd->add(std::move(act));
        else refuse(engine, act->request.number, "receive the message", EMFILE);
    }
    crowd->finish();
    ::_exit(0);
}

}  // namespace ekiden::deliver
