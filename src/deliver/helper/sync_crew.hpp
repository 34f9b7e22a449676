// The threads of a worker that bring written Maildir files to disk while it writes the next ones. Each file is synced and
// named by one of them, as many side by side as the disk makes worth it (syncs that run together share the device's
// flush); then one of them syncs the folder for all that have got their names there meanwhile, and answers the engine.
// Several folders (a list of virtual mailboxes) are synced side by side, each by one thread; and where many files wait, they go
// to disk together (group_sync.hpp).
//
// The promise is that of maildir.hpp: an answer "done" means that file and name are on disk. drain() leaves no thread
// behind, so that the worker may fork.
#pragma once

#include "base/clock.hpp"
#include "deliver/helper/acts.hpp"
#include "deliver/helper/group_sync.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace ekiden::deliver {

class SyncCrew {
public:
    explicit SyncCrew(int engine) : engine_(engine) {}
    ~SyncCrew() { drain(); }

    // A file that write_maildir_file() has written. Waits while too many are in hand.
    void add(std::unique_ptr<Act> act);
    // Until everything is answered and every thread has ended.
    void drain();

private:
    using Lock = std::unique_lock<std::mutex>;

    std::size_t wanted_threads() const;
    bool start_thread();
    void run();                      // a thread
    bool step(Lock& lock);           // false: nothing to do now
    void sync_file(Lock& lock);
    void sync_group(Lock& lock);
    const Act* next_named() const;   // the first whose folder nobody syncs now
    void sync_folder(Lock& lock, std::string folder);

    const int engine_;
    std::mutex mutex_;
    std::condition_variable wake_, quiet_;
    std::deque<std::unique_ptr<Act>> written_;
    std::vector<std::unique_ptr<Act>> named_;        // or failed: to be answered for
    std::size_t in_hand_ = 0;                        // added and not answered
    std::size_t threads_ = 0, idle_ = 0;
    std::set<std::string> syncing_;                  // folders
    GroupSync together_;
    bool is_syncing_group_ = false, is_draining_ = false;
    std::chrono::nanoseconds usual_time_{};          // of a file's sync, smoothed
    std::size_t last_group_ = 0;
    SteadyTime next_group_at_{};
};

}  // namespace ekiden::deliver
