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
constexpr std::size_t waiting_limit = 64;
constexpr std::size_t group_limit = 64;

class Crowd {
public:
    explicit Crowd(int engine) : engine_(engine) {}

    // The thread that receives never becomes anybody, unless there is no other thread to be had.
    void add(std::unique_ptr<Act> act)
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return waiting_.size() < waiting_limit; });
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
        GroupSync together;
    };

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

    // False: nothing to do now.
    bool step(Lock& lock)
    {
        // Writing first, so that there is more to bring to disk together; but nobody waits for ever.
        auto ready = std::ranges::find_if(disks_, [this](const auto& entry) {
            return !entry.second.is_busy && !entry.second.written.empty() && (waiting_.empty() || entry.second.written.size() >= group_limit);
        });
        if (ready != disks_.end()) {
            bring_to_disk(lock, ready->second);
            return true;
        }
        if (waiting_.empty()) return false;
        auto act = std::move(waiting_.front());
        waiting_.pop_front();
        changed_.notify_all();
        lock.unlock();
        dev_t device = 0;
        bool is_written = write(*act, device);
        lock.lock();
        if (is_written) disks_[device].written.push_back(std::move(act));
        else answer(lock, *act);
        return true;
    }

    static bool write(Act& act, dev_t& device)
    {
        const AsUser user(act.request.uid, act.request.gid);
        if (!user.is_done()) return fail_act(act, "become user"), false;
        if (is_withheld(act) || !write_maildir_file(act)) return false;
        struct stat info{};
        if (::fstat(act.file.get(), &info) == 0) device = info.st_dev;
        return true;
    }

    void bring_to_disk(Lock& lock, Disk& disk)
    {
        bool is_group = disk.together.is_for(disk.written.front()->file.get(), disk.written.size());
        std::vector<std::unique_ptr<Act>> acts;
        if (is_group) {
            acts = std::exchange(disk.written, {});
            disk.is_busy = true;
        } else {
            // One by one, side by side with others: syncs that run together share the disk's flush.
            acts.push_back(std::move(disk.written.front()));
            disk.written.erase(disk.written.begin());
            if (!disk.written.empty()) wake_.notify_one();
        }
        lock.unlock();
        std::chrono::nanoseconds took{};
        if (is_group) took = GroupSync::run(acts, true);
        else bring_one(*acts.front());
        std::vector<HelperAnswer> answers;
        answers.reserve(acts.size());
        for (auto& act : acts) answers.push_back(std::move(act->answer));
        reply(engine_, answers);
        lock.lock();
        in_hand_ -= acts.size();
        if (is_group) {
            disk.is_busy = false;
            disk.together.note(took);
            if (!disk.written.empty()) wake_.notify_one();
        }
        changed_.notify_all();
    }

    static void bring_one(Act& act)
    {
        const AsUser user(act.request.uid, act.request.gid);
        if (!user.is_done()) return fail_act(act, "become user");
        if (sync_maildir_file(act)) sync_maildir_folder(act);
    }

    void answer(Lock& lock, Act& act)
    {
        lock.unlock();
        reply(engine_, act.answer);
        lock.lock();
        --in_hand_;
        changed_.notify_all();
    }

    const int engine_;
    std::mutex mutex_;
    std::condition_variable wake_, changed_;
    std::deque<std::unique_ptr<Act>> waiting_;
    std::map<dev_t, Disk> disks_;
    std::size_t in_hand_ = 0;        // not answered
    std::size_t threads_ = 0, idle_ = 0;
};

}  // namespace

void serve_crowd(int requests, int engine)
{
    ::umask(0077);
    auto* crowd = new Crowd(engine);    // its threads never end: neither does it
    for (;;) {
        auto datagram = receive(requests, 0);
        if (!datagram) {
            crowd->finish();
            ::_exit(0);
        }
        auto request = decode_request(datagram->bytes);
        if (!request) continue;   // the dispatcher has decoded it already
        if (request->has_descriptor != bool(datagram->content) || request->kind != HelperRequest::Kind::maildir) {
            refuse(engine, request->number, "receive the message", EMFILE);
            continue;
        }
        auto act = std::make_unique<Act>();
        act->answer.number = request->number;
        act->request = std::move(*request);
        act->content = std::move(datagram->content);
        crowd->add(std::move(act));
    }
}

}  // namespace ekiden::deliver
