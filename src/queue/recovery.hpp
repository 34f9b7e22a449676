// Reading the log at a start: the checkpoint, then the records behind it, segment by segment.
//
// A segment's log ends where no valid record follows. If one does follow, what lies between is damaged: it is stepped
// over, set aside in `corrupt/` beside the log, counted and reported; unless it lies in the bytes that no sync had
// covered when the last record was written, which is what a crash in the middle of a write leaves and nobody was told
// about. Bytes of a segment's former life carry another epoch and are not records.
// Thread: before the committer starts.
#pragma once

#include "queue/log.hpp"

#include <cstdint>

namespace ekiden::queue {

// Fills index and segments. An error means that nothing could be read at all.
Result<void> recover(Log& log);

// Where damaged bytes are set aside: `corrupt` beside the log's directory.
std::string corrupt_folder(const std::string& directory);

// One record that passed its checks.
struct Scanned {
    Header header;
    Place place;
    std::string_view payload;    // valid during the call
};
struct Damage {
    std::uint64_t from = 0, to = 0;
    bool is_torn_write = false;  // nobody was told that these bytes are safe
};
// All valid records of a segment from `offset` on, in order, and the damage between them, each told where it lies.
class SegmentVisitor {
public:
    virtual ~SegmentVisitor() = default;
    virtual void on_record(const Scanned& record) = 0;
    virtual void on_damage(const Damage& damage) = 0;
};
Result<void> scan(const Segment& segment, std::uint64_t offset, SegmentVisitor& visitor);

}  // namespace ekiden::queue
