// Group commit: the one place after which 250 may be said.
//
// Everything that is handed in waits in one queue. One thread takes all that has piled up while the last sync ran,
// writes it with one write and one sync, applies it to the index and tells all waiters, each on its own core. Nothing
// is told before the sync that covers it has succeeded. On a sync error the segment is never synced again on that
// descriptor (the kernel may have forgotten which pages failed): the batch goes to a fresh segment, and if that fails
// too, every commit in it gets the error, no more are accepted, and about once a second the disk is tried again.
// Thread: any, except where said.
#pragma once

#include "queue/log.hpp"
#include "queue/record.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace ekiden::queue {

// What the listener is to be told about a batch.
struct Effects {
    std::vector<Listener::New> accepted;
    std::vector<std::pair<QueueId, Change>> changed;
};

// One thing to be written: a record, or two that stay together in one segment.
class Unit {
public:
    struct Piece {
        Kind kind;
        std::string_view payload;
        std::uint32_t check = 0;    // CRC-32C of the payload, made on the core that hands it in
        Place place{};              // set before each attempt to write
        std::array<char, header_size> header{};
    };

    explicit Unit(QueueId unit_id) : id(unit_id) {}
    virtual ~Unit() = default;
    std::uint64_t bytes() const;

    // All three under the log's lock. before_write: an error drops the unit, and the waiter gets it.
    virtual Result<void> before_write(Log&) { return {}; }
    virtual void after_write(Log& log, Effects& effects) = 0;
    // Given up for good; its records may or may not be on the disk in `tried`. What it returns is written instead.
    virtual std::unique_ptr<Unit> after_failure(Log&, const std::vector<std::uint32_t>& tried)
    {
        (void)tried;
        return nullptr;
    }

    QueueId id;
    std::vector<Piece> pieces;
    bool needs_sync = true;        // false: written is enough (content on its way in)
    bool is_urgent = true;         // false: may wait for the next batch, 100 ms at most
    bool outlives_trouble = false; // stays queued, in order, while the disk refuses
    std::move_only_function<void(Result<void>)> waiter;
    std::optional<net::Executor> executor;    // where the waiter is called; none: on the committer's thread
};
using UnitPtr = std::unique_ptr<Unit>;

class Committer {
public:
    explicit Committer(Log& log) : log_(log) {}
    ~Committer() { stop(); }

    void start();
    void stop();    // everything handed in before is written

    // `make` runs at once, under the log's lock; then waits until the unit it made is on the disk. Nothing made and no
    // error: nothing to do.
    Task<Result<void>> submit(std::move_only_function<Result<UnitPtr>()> make);
    Result<void> submit_now(std::vector<UnitPtr> units);    // blocks; not on an event loop
    void hand_in(UnitPtr unit);          // the log's lock is held
    Result<void> may_accept() const;     // an error while the disk refuses
    // The housekeeper could not make a spare segment: room is kept for settling and removing, no new mail is taken.
    void set_no_room(std::optional<Error> why);

    // Calls `take` under the lock with the place where the next batch begins, then `keep` with its result once that
    // batch is on the disk: a picture of the index together with the place in the log from where to go on.
    void request_snapshot(std::function<void(Place)> take, std::function<void()> keep);
    void set_listener(Listener* listener);    // hears at once of trouble there is already

    const std::shared_ptr<net::BlockingPool>& readers() const { return log_.readers; }    // for who reads the log

    // Contents that are being received or wait for their commit: whom a batch may expect. Any thread.
    // Shared: a session that is cut off may let go of its content after the store is gone.
    const std::shared_ptr<std::atomic<std::size_t>> open_contents = std::make_shared<std::atomic<std::size_t>>(0);

private:
    struct Batch {
        std::vector<UnitPtr> units;
        std::vector<std::uint32_t> tried;    // segments it was written to without success
    };
    void run();
    void wait_for_work(std::unique_lock<std::mutex>& lock);
    void gather(std::unique_lock<std::mutex>& lock);
    std::vector<UnitPtr> take_units();
    Result<void> write(Batch& batch, std::unique_lock<std::mutex>& lock);
    Result<void> write_once(Batch& batch, std::unique_lock<std::mutex>& lock);
    Result<void> roll(std::uint64_t least, std::unique_lock<std::mutex>& lock);
    void seal_failed(std::unique_lock<std::mutex>& lock);
    void conclude(Batch batch, Result<void> result, std::unique_lock<std::mutex>& lock);
    void enter_trouble(const Error& why, std::unique_lock<std::mutex>& lock);
    void tell(std::vector<UnitPtr> units, const Result<void>& result);

    Log& log_;
    std::atomic<Listener*> listener_{nullptr};
    std::thread thread_;

    // The committer's thread.
    SegmentPtr current_;
    std::chrono::steady_clock::duration write_time_{};     // how long it took to write and sync

    // Under the log's lock.
    std::condition_variable wake_;
    std::deque<UnitPtr> queue_;
    std::size_t urgent_ = 0;                                           // units in the queue that must not wait
    std::optional<std::chrono::steady_clock::time_point> lazy_until_;  // when the others must go
    std::optional<Error> trouble_;
    std::optional<Error> no_room_;
    bool is_stopping_ = false;
    bool is_stopped_ = true;
    std::size_t gather_ = 0;    // units to wait for, while gathering
    std::function<void(Place)> snapshot_take_;
    std::function<void()> snapshot_keep_;
};

}  // namespace ekiden::queue
