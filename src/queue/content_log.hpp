// Content as the commit log keeps it: in memory within the budget, or as chunk records that are read when asked for.
// A Content in the log keeps its segments from being recycled while somebody reads.
#pragma once

#include "queue/content.hpp"
#include "queue/log.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ekiden::queue {

class Committer;

// Chunks that were written before the commit. The segments are pinned: nothing else counts them as live yet.
struct FlushedChunks {
    std::vector<Place> places;
    std::vector<SegmentPtr> pins;
};

class ContentWriter::Sink {
public:
    Sink(Committer& committer, std::size_t chunk_limit);
    ~Sink();
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    Task<Result<void>> write(std::string bytes);
    std::shared_ptr<net::BlockingPool> readers() const;

    const std::size_t limit;
    // Shared with the chunk that is being written: it may outlive a session that is cut off.
    const std::shared_ptr<FlushedChunks> flushed = std::make_shared<FlushedChunks>();

private:
    Committer& committer_;
    const std::shared_ptr<std::atomic<std::size_t>> open_contents_;
};

// The payload of the record at `place`; `corrupt` unless it is what it should be. Blocks. A zero id is not compared.
Result<std::string> read_record(const Segment& segment, Place place, QueueId id = {});
// The same, out of bytes already read.
Result<std::string_view> record_payload(std::string_view bytes, const Segment& segment, Place place, QueueId id = {});

// Nothing when the budget is spent.
ContentPtr content_in_memory(const std::shared_ptr<MemoryBudget>& budget, std::shared_ptr<const std::string> bytes);
// The log's lock is held.
ContentPtr content_in_log(const Log& log, QueueId id, std::uint64_t size, std::vector<Place> chunks);

}  // namespace ekiden::queue
