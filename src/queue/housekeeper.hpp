// What the log needs done behind the road's back, by one thread of its own: a spare segment ready before it is needed,
// empty segments recycled, sparse ones emptied (within a bound of bytes a second), long chains of state records
// folded, a checkpoint now and then. Nothing here is urgent, and everything may be cut off at any moment.
#pragma once

#include "queue/commit.hpp"
#include "queue/log.hpp"

#include <chrono>
#include <condition_variable>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace ekiden::queue {

class Housekeeper {
public:
    Housekeeper(Log& log, Committer& committer) : log_(log), committer_(committer) {}
    ~Housekeeper() { stop(); }
    void start();
    void stop();
    void write_last_checkpoint();    // after the committer has stopped

    // One round each; start() runs them about once a second. Tests call them by hand, on a thread that may block.
    void keep_spare();
    void recycle();
    void fold();
    void compact();
    void checkpoint();

private:
    void run();
    void empty_segment(const SegmentPtr& victim);

    Log& log_;
    Committer& committer_;
    std::thread thread_;
    std::mutex mutex_;    // guards the two below
    std::condition_variable wake_;
    bool is_stopping_ = false;
    std::optional<std::string> picture_;      // a checkpoint to be written

    // The housekeeping thread's.
    std::uint64_t written_at_checkpoint_ = 0;
    bool is_without_room_ = false;
    std::chrono::steady_clock::time_point next_try_{};
    std::set<std::uint32_t> unmovable_;       // segments with a message that cannot be read
};

}  // namespace ekiden::queue
