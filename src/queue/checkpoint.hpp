// The index on disk, so that a start need not read the whole log: one record in a file of its own, replaced as a
// whole. `checkpoint.clean` says besides that nothing was written after it; opening for writing renames it.
// Thread: encode under the log's lock; the rest any.
#pragma once

#include "queue/log.hpp"

#include <optional>
#include <string>

namespace ekiden::queue {

inline constexpr std::string_view checkpoint_name = "checkpoint", clean_checkpoint_name = "checkpoint.clean";

// `next`: where the first record that the picture does not contain begins.
std::string encode_checkpoint(const Log& log, Place next);
Result<void> write_checkpoint(Disk& disk, const SegmentFiles& files, const std::string& bytes, std::string_view name);

struct Checkpoint {
    Place next;
    std::uint32_t last_number = 0;
    Index index;
    std::vector<std::pair<std::uint32_t, std::vector<Tombstone>>> tombstones;    // by segment
};
Result<Checkpoint> decode_checkpoint(std::string_view bytes);
// Nothing when there is none.
Result<std::optional<Checkpoint>> read_checkpoint(Disk& disk, const SegmentFiles& files, std::string_view name);

}  // namespace ekiden::queue
