// A message's records read back: envelope, reasons, content. Blocks; not on an event loop, and without the log's lock.
#pragma once

#include "queue/log.hpp"
#include "queue/units.hpp"

namespace ekiden::queue {

// What the index knows about one message, taken under the lock, with its segments kept from being recycled.
struct Reference {
    QueueId id;
    Version version;
    StateRecord facts;
    std::vector<std::uint32_t> pending;
    std::uint64_t size = 0;
    std::vector<std::shared_ptr<const std::string>> unwritten;
    std::vector<SegmentPtr> segments;    // of accept and chain
    ContentPtr content;                  // in the log

    const Segment* segment(std::uint32_t number) const;
};
// Under the log's lock.
Reference make_reference(const Log& log, QueueId id, const Entry& entry);

// Where the bytes of a record come from: read one by one, or out of a larger step.
using RecordSource = std::function<Result<std::string>(const Segment&, Place, QueueId)>;

Result<AcceptRecord> read_accept(const Reference& reference, const RecordSource& source);
// The state as one complete record.
Result<StateRecord> read_state(const Reference& reference, const AcceptRecord& accept, const RecordSource& source);
Result<Loaded> read_message(const Reference& reference, const RecordSource& source);
// As read_message, a small message's content in the same read, if the memory budget allows.
Result<Loaded> load_message(const Log& log, const Reference& reference);

}  // namespace ekiden::queue
