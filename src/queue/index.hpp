// What is queued, in memory: per message its places in the log, what is pending, and when it is due; about 150 bytes.
// Recipients' addresses and reasons stay on disk until they are needed.
// Thread: guarded by the log's lock (log.hpp).
#pragma once

#include "queue/record.hpp"
#include "queue/store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace ekiden::queue {

// A few places; the usual single one without an allocation.
class Places {
public:
    Places() = default;
    explicit Places(std::vector<Place> places);
    void add(Place place);
    void clear();
    std::span<const Place> all() const;
    std::size_t size() const { return all().size(); }

private:
    Place one_;
    std::unique_ptr<std::vector<Place>> more_;    // all of them, when there is more than one
};

// Which recipients are not done yet. Up to 64 without an allocation.
class PendingSet {
public:
    PendingSet() = default;
    explicit PendingSet(std::uint32_t count);
    bool contains(std::uint32_t index) const;
    void insert(std::uint32_t index);
    void erase(std::uint32_t index);
    void clear();
    std::uint32_t size() const;
    std::uint32_t count() const { return count_; }    // recipients, done ones too
    std::vector<std::uint32_t> indexes() const;

private:
    std::uint64_t word(std::size_t at) const { return more_ ? (*more_)[at] : first_; }
    std::uint64_t& word(std::size_t at) { return more_ ? (*more_)[at] : first_; }
    std::uint64_t first_ = 0;
    std::uint32_t count_ = 0;
    std::unique_ptr<std::vector<std::uint64_t>> more_;
};

struct Entry {
    std::uint64_t size = 0;
    WallTime next_attempt_at{};
    PendingSet pending;
    Place accept;
    Places content;
    Places chain;                 // state records since the accept or the last complete one, oldest first
    std::uint32_t attempts = 0;
    State state = State::incoming;
    bool is_expired = false;
    bool was_warned = false;

    // Rare things.
    struct Extra {
        // State payloads that are not on disk yet, in order. load() adds them to what the chain says.
        std::vector<std::shared_ptr<const std::string>> unwritten;
        // Segments with older accept records of this message (moved, or written again after a failure).
        std::vector<std::uint32_t> old_accepts;
    };
    std::unique_ptr<Extra> extra;
    Extra& rare() { return extra ? *extra : *(extra = std::make_unique<Extra>()); }

    // What a state record says about the message as a whole and about who is done.
    void apply(const StateRecord& record);
    // The facts as a state record without lists.
    StateRecord facts() const;
    Summary summary(QueueId id) const;
};

Entry make_entry(const AcceptRecord& record, Place accept, std::vector<Place> content);

// The whole pending list with reasons: from nothing (or a move's state), then state record by state record.
class PendingReasons {
public:
    explicit PendingReasons(const AcceptRecord& record);
    void apply(const StateRecord& record);
    std::vector<Pending> take();

private:
    std::vector<Pending> pending_;    // by index
};

using Index = std::map<QueueId, Entry>;

}  // namespace ekiden::queue
