// What the rooms of the commit log share: index, segments, counters, and the lock around them. The lock is held for
// moments only, never across a read, write or sync.
#pragma once

#include "base/log.hpp"
#include "net/blocking.hpp"
#include "queue/index.hpp"
#include "queue/segment.hpp"
#include "queue/store.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace ekiden::queue {

// Committed content that is still in memory somewhere, against the budget.
struct MemoryBudget {
    explicit MemoryBudget(std::uint64_t bytes) : limit(bytes) {}
    const std::uint64_t limit;
    std::atomic<std::uint64_t> used{0};
};

struct Log {
    Log(const StoreOptions& o, Disk& d)
        : options(o), disk(d), files(d, o.directory, o.segment_size),
          budget(std::make_shared<MemoryBudget>(o.memory_budget))
    {
    }

    const StoreOptions options;
    Disk& disk;
    SegmentFiles files;
    const Logger logger{"postfix/qmgr"};
    const std::shared_ptr<MemoryBudget> budget;
    const std::shared_ptr<net::BlockingPool> readers = std::make_shared<net::BlockingPool>(2);

    mutable std::mutex mutex;
    // All below: under the mutex.
    Index index;
    std::map<std::uint32_t, SegmentPtr> segments;
    std::set<std::uint32_t> retiring;    // taken out of `segments`, still on the disk
    std::uint32_t current = 0;           // the segment that is written to
    Statistics counts;
    std::vector<QueueId> to_fold;        // messages with a long chain of state records
    bool has_empty_segment = false;      // something may be recycled

    Entry* find(QueueId id)
    {
        auto at = index.find(id);
        return at == index.end() ? nullptr : &at->second;
    }
    SegmentPtr segment(std::uint32_t number) const
    {
        auto at = segments.find(number);
        return at == segments.end() ? nullptr : at->second;
    }
    bool is_on_disk(std::uint32_t number) const { return segments.contains(number) || retiring.contains(number); }
    void add_live(Place place);
    void drop_live(Place place);
    void add_live(const Entry& entry);
    void drop_live(const Entry& entry);
};

}  // namespace ekiden::queue
