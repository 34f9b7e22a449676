// The durable queue, as the rest of Ekiden sees it. The commit log stands behind it (docs/queue.md is the contract of
// the bytes on disk); a replicated store could stand here later.
//
// commit() returns only when the message is on the disk: the one place after which 250 may be said. settle() and
// remove() need not wait: losing them means a second delivery, never a lost message; they are on disk within 100 ms.
// Thread: any core; Tasks come back on the caller's core. The Listener is called on the committer's thread and must
// only hand on.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "mail/envelope.hpp"
#include "mail/status.hpp"
#include "net/task.hpp"
#include "queue/content.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ekiden::queue {

using mail::QueueId;
using EnvelopePtr = std::shared_ptr<const mail::Envelope>;

// Where a message is, in the words of Postfix's queue directories.
enum class State : std::uint8_t { incoming, deferred, held };

// What the index knows about every message without reading the log.
struct Summary {
    QueueId id;
    State state = State::incoming;
    WallTime next_attempt_at{};   // deferred: not before
    std::uint64_t size = 0;       // content bytes
    bool is_expired = false;      // postsuper -e
};

// One recipient that is not done, and why not.
struct Pending {
    std::uint32_t index = 0;      // into envelope.recipients
    mail::Status reason;          // last deferral; empty code = not tried yet
};

// A message read back for delivery or display.
struct Loaded {
    EnvelopePtr envelope;         // all recipients, done ones too
    std::vector<Pending> pending;
    ContentPtr content;
    State state = State::incoming;
    WallTime next_attempt_at{};
    int attempts = 0;
    bool was_warned = false;      // delay warning sent
    bool is_expired = false;
};

// The result of one delivery attempt at some or all recipients of a message.
struct Settlement {
    QueueId id;
    std::vector<std::uint32_t> done;      // delivered or bounced for good
    std::vector<Pending> deferred;        // with the reason
    WallTime next_attempt_at{};           // meaningful when something stays
    bool was_warned = false;
};

enum class Change : std::uint8_t { hold, release, requeue, expire, remove };

class Listener {
public:
    virtual ~Listener() = default;
    // Messages that have just become durable, in commit order. Content may be in memory (within the budget).
    struct New {
        EnvelopePtr envelope;
        ContentPtr content;
    };
    virtual void on_new(std::vector<New> messages) = 0;
    // An operator's change took effect.
    virtual void on_change(QueueId id, Change change) = 0;
    // The disk refuses: no more mail is accepted until it recovers (told once each way).
    virtual void on_trouble(const std::string& what) = 0;
    virtual void on_recovered() = 0;
};

struct StoreOptions {
    std::string directory;                           // $queue_directory/log
    std::uint64_t segment_size = 64 << 20;           // bytes
    std::uint64_t memory_per_message = 256 << 10;    // content kept in memory while it comes in
    std::uint64_t memory_budget = 64 << 20;          // committed content kept for the first delivery
    std::uint64_t minimum_free = 0;                  // queue_minfree
    bool is_read_only = false;                       // tools, while the engine is down
};

struct Statistics {
    std::uint64_t commits = 0, syncs = 0, batches = 0, bytes_written = 0;
    std::uint64_t messages = 0, segments = 0, live_bytes = 0, corrupt_records = 0;
};

class Store {
public:
    virtual ~Store() = default;

    virtual ContentWriter write_content() = 0;
    // Durable when it returns without error. Sets envelope.size. ErrorCode::no_space → 452 4.3.1; others → 451 4.3.0.
    virtual Task<Result<EnvelopePtr>> commit(mail::Envelope envelope, ContentWriter content) = 0;
    // Would a message of `size` bytes fit (queue_minfree, free space)? For MAIL FROM.
    virtual bool has_space_for(std::uint64_t size) const = 0;
    virtual std::uint64_t free_space() const = 0;    // bytes, as last looked up (about once a second)

    virtual void settle(Settlement settlement) = 0;
    virtual void remove(QueueId id) = 0;             // every recipient is done
    // As settle()/remove(), but waits until it is on disk.
    virtual Task<Result<void>> settle_durably(Settlement settlement) = 0;

    virtual Task<Result<Loaded>> load(QueueId id) = 0;                // not_found when it is gone
    virtual Result<Loaded> load_now(QueueId id) = 0;                  // for threads that may block
    virtual Task<Result<void>> change(QueueId id,
                                      Change change) = 0;  // durable; not_found when there is no such message

    // All messages, oldest first; a consistent picture of one moment. The visitor returns false to stop.
    virtual void for_each(const std::function<bool(const Summary&)>& visitor) const = 0;
    // As for_each, with envelope and reasons read in large sequential steps (listings). Blocks: not on an event loop.
    virtual Result<void> list(const std::function<bool(const Summary&, const Loaded&)>& visitor) const = 0;
    virtual std::size_t size() const = 0;

    virtual Statistics statistics() const = 0;
    virtual void listen(Listener* listener) = 0;     // before start
    // Writes a checkpoint and closes cleanly; everything handed in before is durable.
    virtual void stop() = 0;
};

// Locks the directory, reads checkpoint and segments, sets damaged records aside, and starts the committer.
// refused: another process holds the lock.
Result<std::unique_ptr<Store>> open_store(const StoreOptions& options);

}  // namespace ekiden::queue
