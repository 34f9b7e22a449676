// One file of the log, and the folder of them. A segment is written full of zeros once, filled once per life from
// front to back, and recycled by renaming, so that a commit never changes the size of a file or where its blocks are.
//
//   0000002a.9c3f0d1e2b4a5968.log   segment 42; the rest is its epoch, a secret number that its records carry
//   0000002b.spare                  written full, waiting for a number and an epoch of its own
//
// Numbers rise and are never given out twice: they are the order of the log. The epoch tells a segment's records from
// the bytes of its former life, and from records that somebody has put into a mail: nobody outside can guess it.
//
// Thread: SegmentFiles any; a Segment's fields as marked.
#pragma once

#include "queue/disk.hpp"
#include "queue/record.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::queue {

// A remove record in this segment that must stay while `target`, which may hold the message's accept record, is there:
// else a start would find the message again.
struct Tombstone {
    QueueId id;
    std::uint32_t target = 0;
};

struct Segment {
    Segment(std::uint32_t n, std::uint64_t e, std::uint64_t bytes, std::unique_ptr<DiskFile> f)
        : number(n), epoch(e), size(bytes), file(std::move(f))
    {
    }

    const std::uint32_t number;
    const std::uint64_t epoch;
    const std::uint64_t size;
    const std::unique_ptr<DiskFile> file;

    // The committer's.
    std::uint64_t end = 0;              // where the next batch goes
    std::uint64_t unsynced_from = 0;    // == end: everything is on the disk

    // Under the log's lock.
    std::uint64_t live = 0;             // bytes of records that still matter
    std::optional<std::uint64_t> failed_from;    // bytes from here on may not be on the disk, and never will be
    std::vector<Tombstone> tombstones;
};
using SegmentPtr = std::shared_ptr<Segment>;

class SegmentFiles {
public:
    SegmentFiles(Disk& disk, std::string directory, std::uint64_t segment_size);

    struct Name {
        std::uint32_t number = 0;
        std::uint64_t epoch = 0;
        auto operator<=>(const Name&) const = default;
    };
    struct Found {
        std::vector<Name> segments;    // ascending
        std::vector<std::uint32_t> spares;
    };
    // Reads the folder; what is found counts as given out. Half-made files are removed unless read-only.
    Result<Found> look(bool is_read_only);
    Result<SegmentPtr> open(Name name, bool is_read_only);
    void reserve_numbers(std::uint32_t used);
    std::uint32_t last_number() const { return last_number_; }

    // A segment with a new number, empty, its name on the disk: a spare if there is one, else a small one made now, of
    // at least `least` bytes. Called by one thread at a time, whose segments therefore have rising numbers.
    Result<SegmentPtr> take_next(std::uint64_t least);
    Result<void> make_spare();               // full size
    void add_spare(std::uint32_t number);    // found at start
    std::size_t spares() const;
    // Its records do not count any more. Kept as a spare, or removed when there are enough or it failed.
    Result<void> retire(const Segment& segment);

    std::string path_of(std::string_view name) const { return directory_ + "/" + std::string(name); }
    const std::string& directory() const { return directory_; }

private:
    Result<void> fill(const std::string& path, std::uint64_t size);
    std::string segment_path(Name name) const;
    std::string spare_path(std::uint32_t number) const;

    Disk& disk_;
    const std::string directory_;
    const std::uint64_t segment_size_;
    std::atomic<std::uint32_t> last_number_{0};
    mutable std::mutex mutex_;
    std::deque<std::uint32_t> spares_;
};

}  // namespace ekiden::queue
