#include "queue/segment.hpp"

#include "base/text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

namespace ekiden::queue {
namespace {

constexpr std::string_view segment_suffix = ".log", spare_suffix = ".spare", unfinished_suffix = ".new";
constexpr std::uint64_t fill_step = 1 << 20, fill_sync_every = 8 << 20;
// The first segment of a new queue, or one that is needed before the spare is ready: made within milliseconds.
constexpr std::uint64_t small_segment = 4 << 20;
constexpr std::size_t most_spares = 3;

std::optional<std::uint32_t> number_of(std::string_view name, std::string_view suffix)
{
    if (name.size() != 8 + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
    return base::parse_number<std::uint32_t>(name.substr(0, 8), 16);
}

std::optional<SegmentFiles::Name> segment_name(std::string_view name)
{
    if (name.size() != 8 + 1 + 16 + segment_suffix.size() || name[8] != '.' || !name.ends_with(segment_suffix))
        return std::nullopt;
    auto number = base::parse_number<std::uint32_t>(name.substr(0, 8), 16);
    auto epoch = base::parse_number<std::uint64_t>(name.substr(9, 16), 16);
    if (!number || !epoch) return std::nullopt;
    return SegmentFiles::Name{*number, *epoch};
}

}  // namespace

SegmentFiles::SegmentFiles(Disk& disk, std::string directory, std::uint64_t segment_size)
    : disk_(disk), directory_(std::move(directory)), segment_size_(segment_size)
{
}

std::string SegmentFiles::segment_path(Name name) const
{
    return fmt::format("{}/{:08x}.{:016x}{}", directory_, name.number, name.epoch, segment_suffix);
}
std::string SegmentFiles::spare_path(std::uint32_t number) const
{
    return fmt::format("{}/{:08x}{}", directory_, number, spare_suffix);
}

Result<SegmentFiles::Found> SegmentFiles::look(bool is_read_only)
{
    EKIDEN_TRY_VALUE(names, disk_.names(directory_));
    Found found;
    for (const std::string& name : names) {
        if (auto segment = segment_name(name)) found.segments.push_back(*segment);
        else if (auto spare = number_of(name, spare_suffix)) found.spares.push_back(*spare);
        else if (name.ends_with(unfinished_suffix) && !is_read_only) EKIDEN_TRY(disk_.remove(path_of(name)));
    }
    std::ranges::sort(found.segments);
    for (Name name : found.segments) reserve_numbers(name.number);
    for (std::uint32_t number : found.spares) reserve_numbers(number);
    return found;
}

Result<SegmentPtr> SegmentFiles::open(Name name, bool is_read_only)
{
    EKIDEN_TRY_VALUE(file, disk_.open(segment_path(name), is_read_only ? Disk::Mode::read : Disk::Mode::write));
    EKIDEN_TRY_VALUE(size, file->size());
    return std::make_shared<Segment>(name.number, name.epoch, size, std::move(file));
}

void SegmentFiles::reserve_numbers(std::uint32_t used)
{
    std::uint32_t last = last_number_;
    while (last < used && !last_number_.compare_exchange_weak(last, used)) {}
}

Result<void> SegmentFiles::fill(const std::string& path, std::uint64_t size)
{
    EKIDEN_TRY_VALUE(file, disk_.open(path, Disk::Mode::create));
    static const std::string zeros(fill_step, '\0');
    for (std::uint64_t at = 0; at < size; at += fill_step) {
        // Synced in steps: a commit must not wait behind a whole segment of zeros.
        std::string_view piece = std::string_view(zeros).substr(0, std::min(fill_step, size - at));
        EKIDEN_TRY(file->write_at({&piece, 1}, at));
        if ((at + fill_step) % fill_sync_every == 0) EKIDEN_TRY(file->sync());
    }
    return file->sync();
}

Result<SegmentPtr> SegmentFiles::take_next(std::uint64_t least)
{
    std::optional<std::uint32_t> spare;
    {
        std::lock_guard lock(mutex_);
        if (!spares_.empty()) {
            spare = spares_.front();
            spares_.pop_front();
        }
    }
    std::uint32_t number = ++last_number_;
    Name name{number, 0};
    if (::getentropy(&name.epoch, sizeof name.epoch) < 0) return fail(Error::from_errno("getentropy"));
    std::string from = spare ? spare_path(*spare) : fmt::format("{}/{:08x}{}", directory_, number, unfinished_suffix);
    auto taken = [&]() -> Result<SegmentPtr> {
        if (!spare)
            EKIDEN_TRY(fill(from, std::min(segment_size_, std::max(small_segment, align_up(least, block_size)))));
        EKIDEN_TRY(disk_.rename(from, segment_path(name)));
        // A record in a file whose name is lost would be lost: the name first.
        EKIDEN_TRY(disk_.sync_folder(directory_));
        return open(name, false);
    }();
    if (!taken && !spare) (void)disk_.remove(from).has_value();    // half-made, takes room that is needed
    return taken;
}

Result<void> SegmentFiles::make_spare()
{
    std::uint32_t number = ++last_number_;
    std::string unfinished = fmt::format("{}/{:08x}{}", directory_, number, unfinished_suffix);
    auto made = fill(unfinished, segment_size_);
    if (made) made = disk_.rename(unfinished, spare_path(number));
    if (made) made = disk_.sync_folder(directory_);
    if (!made) (void)disk_.remove(unfinished).has_value();
    else add_spare(number);
    return made;
}

void SegmentFiles::add_spare(std::uint32_t number)
{
    std::lock_guard lock(mutex_);
    spares_.push_back(number);
}

std::size_t SegmentFiles::spares() const
{
    std::lock_guard lock(mutex_);
    return spares_.size();
}

Result<void> SegmentFiles::retire(const Segment& segment)
{
    // The spare keeps the number of its former life in its name: the next number is always higher than any epoch that
    // old bytes may carry.
    std::string path = segment_path({segment.number, segment.epoch});
    bool is_kept = !segment.failed_from && segment.size == segment_size_ && spares() < most_spares;
    if (is_kept) EKIDEN_TRY(disk_.rename(path, spare_path(segment.number)));
    else EKIDEN_TRY(disk_.remove(path));
    EKIDEN_TRY(disk_.sync_folder(directory_));
    if (is_kept) add_spare(segment.number);
    return {};
}

}  // namespace ekiden::queue
