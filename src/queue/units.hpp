// The things that are written to the log, and what each means for the index once it is on the disk.
// Thread: made anywhere; the rest as commit.hpp says.
#pragma once

#include "queue/commit.hpp"
#include "queue/content_log.hpp"

#include <vector>

namespace ekiden::queue {

// Content on its way in; written is enough, the commit's sync covers it.
class ChunkUnit final : public Unit {
public:
    // `placed` is told, under the log's lock, where the chunk is.
    ChunkUnit(QueueId message, std::string chunk, std::function<void(Place, SegmentPtr)> placed);
    void after_write(Log& log, Effects& effects) override;

private:
    std::string chunk_;
    std::function<void(Place, SegmentPtr)> placed_;
};

// A message enters the queue: its content if it is small (or the last piece), and the accept record right behind.
class AcceptUnit final : public Unit {
public:
    AcceptUnit(EnvelopePtr envelope, std::shared_ptr<const std::string> last_chunk, FlushedChunks flushed);
    Result<void> before_write(Log& log) override;
    void after_write(Log& log, Effects& effects) override;
    UnitPtr after_failure(Log& log, const std::vector<std::uint32_t>& tried) override;

private:
    EnvelopePtr envelope_;
    std::shared_ptr<const std::string> last_chunk_;
    FlushedChunks flushed_;
    std::string payload_;
};

// settle, hold, release, requeue, expire. The entry has been changed already; the chain follows when it is written.
class StateUnit final : public Unit {
public:
    // Under the log's lock: `entry` gets the payload as unwritten.
    StateUnit(QueueId message, Entry& entry, Kind kind, const StateRecord& record);
    void after_write(Log& log, Effects& effects) override;
    std::optional<Change> change;    // tells the listener

private:
    std::shared_ptr<const std::string> payload_;
    bool is_complete_;
};

// The message is gone from the index already.
class RemoveUnit final : public Unit {
public:
    RemoveUnit(QueueId message, std::vector<std::uint32_t> segments);
    void after_write(Log& log, Effects& effects) override;
    bool tells_listener = false;

private:
    std::vector<std::uint32_t> segments_;
    std::string payload_;
};

// What a message's records looked like when they were read; a rewrite of them counts only if that is still so.
struct Version {
    Place accept;
    std::vector<Place> content, chain;
    static Version of(const Entry& entry);
    bool is_of(const Entry& entry) const;
};

// A message moved out of a segment: accept record with the state in it, content chunks where they are now.
class MoveUnit final : public Unit {
public:
    MoveUnit(QueueId message, Version read, const AcceptRecord& record, std::vector<SegmentPtr> pins);
    Result<void> before_write(Log& log) override;
    void after_write(Log& log, Effects& effects) override;

private:
    Version read_;
    std::vector<Place> chunks_;
    std::vector<SegmentPtr> pins_;    // copies that nothing counts as live yet
    std::string payload_;
};

// A long chain of state records written as one.
class FoldUnit final : public Unit {
public:
    FoldUnit(QueueId message, Version read, const StateRecord& record);
    Result<void> before_write(Log& log) override;
    void after_write(Log& log, Effects& effects) override;

private:
    Version read_;
    std::string payload_;
};

}  // namespace ekiden::queue
