#include "queue/recovery.hpp"

#include "queue/checkpoint.hpp"
#include "queue/crc32c.hpp"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

namespace ekiden::queue {
namespace {

constexpr std::uint64_t window_size = 1 << 20;
constexpr int most_set_aside = 100;    // files for each start: a dying disk must not fill what is left of it

// A segment through a window that moves forward. Blocks that the disk cannot read are zeros, and hence damage.
class Window {
public:
    explicit Window(const Segment& segment) : segment_(segment) {}

    std::string_view at(std::uint64_t offset, std::uint64_t length)
    {
        length = std::min(length, segment_.size - std::min(offset, segment_.size));
        if (offset < start_ || offset + length > start_ + bytes_.size()) fill(offset, std::max(length, window_size));
        return std::string_view(bytes_).substr(offset - start_, length);
    }

private:
    void fill(std::uint64_t offset, std::uint64_t length)
    {
        start_ = offset;
        bytes_.resize(std::min(length, segment_.size - offset));
        auto count = segment_.file->read_at(bytes_, offset);
        if (count) {
            std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(*count), bytes_.end(), '\0');
            return;
        }
        for (std::uint64_t at = 0; at < bytes_.size(); at += block_size) {
            std::span<char> block(bytes_.data() + at, std::min(block_size, bytes_.size() - at));
            auto read = segment_.file->read_at(block, offset + at);
            std::ranges::fill(block.subspan(read ? *read : 0), '\0');
        }
    }

    const Segment& segment_;
    std::uint64_t start_ = 0;
    std::string bytes_;
};

std::optional<Scanned> record_at(Window& window, const Segment& segment, std::uint64_t offset)
{
    auto header = decode_header(window.at(offset, header_size));
    if (!header || header->epoch != segment.epoch || header->kind == Kind::checkpoint) return std::nullopt;
    std::uint64_t length = record_size(header->length);
    if (length > segment.size - offset) return std::nullopt;
    std::string_view payload = window.at(offset, length).substr(header_size, header->length);
    if (crc32c(payload) != header->payload_check) return std::nullopt;
    return Scanned{
        *header, {segment.number, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)}, payload};
}

}  // namespace

Result<void> scan(const Segment& segment, std::uint64_t offset, SegmentVisitor& visitor)
{
    Window window(segment);
    std::vector<Damage> damages;
    std::uint64_t unsynced_from = 0, at = offset;
    for (std::uint64_t from = at; at + header_size <= segment.size;) {
        auto record = record_at(window, segment, at);
        if (!record) {
            at += record_alignment;
            continue;
        }
        if (at != from) damages.push_back({from, at});
        unsynced_from = std::max<std::uint64_t>(unsynced_from, record->header.unsynced_from);
        visitor.on_record(*record);
        at += record->place.length;
        if (record->header.ends_batch) at = align_up(at, block_size);
        from = at;
    }
    // What the newest record counts as unsynced may be torn without any promise broken.
    for (Damage& damage : damages) {
        damage.is_torn_write = damage.from >= unsynced_from;
        visitor.on_damage(damage);
    }
    return {};
}

namespace {

class Replay final : public SegmentVisitor {
public:
    explicit Replay(Log& log) : log_(log) {}

    void begin(Segment& segment)
    {
        segment_ = &segment;
        incomplete_.clear();
        loose_.clear();
        unsynced_from_ = 0;
        last_ = {};
    }
    void end();
    void on_record(const Scanned& record) override;
    void on_damage(const Damage& damage) override;
    QueueId newest() const { return newest_; }

private:
    void on_accept(const Scanned& record);
    void on_state(const Scanned& record);
    void on_remove(const Scanned& record);
    void report(const std::string& what, std::uint64_t from, std::uint64_t to);
    void set_aside(std::uint64_t from, std::uint64_t to);

    struct Incomplete {
        QueueId id;
        Place place;
        std::uint32_t unsynced_from;
    };

    Log& log_;
    Segment* segment_ = nullptr;
    Place last_;                                 // the record before, if it is a chunk
    std::unordered_set<std::uint32_t> loose_;    // chunks of this segment that an accept record further on may name
    std::uint32_t unsynced_from_ = 0;
    std::vector<Incomplete> incomplete_;
    QueueId newest_;
    int set_aside_ = 0;
};

void Replay::on_record(const Scanned& record)
{
    newest_ = std::max(newest_, record.header.id);
    unsynced_from_ = record.header.unsynced_from;
    switch (record.header.kind) {
    case Kind::chunk:
        if (!record.header.id) loose_.insert(record.place.offset);
        break;
    case Kind::accept:
    case Kind::move: on_accept(record); break;
    case Kind::settle:
    case Kind::hold:
    case Kind::release:
    case Kind::requeue:
    case Kind::expire: on_state(record); break;
    case Kind::remove: on_remove(record); break;
    case Kind::note:
    case Kind::checkpoint: break;
    }
    last_ = record.header.kind == Kind::chunk ? record.place : Place{};
}

void Replay::on_accept(const Scanned& record)
{
    auto accept = decode_accept(record.payload);
    if (!accept) return report(accept.error().text(), record.place.offset, record.place.offset + record.place.length);
    accept->envelope.id = record.header.id;
    bool is_whole = true;
    std::vector<Place> chunks = accept->chunks;
    for (const Place& place : chunks) {
        // Earlier chunks were synced before this record was written; damage to them shows when they are read.
        bool was_unsynced = place.segment == record.place.segment && place.offset >= record.header.unsynced_from;
        if (was_unsynced && !loose_.contains(place.offset)) is_whole = false;
    }
    if (accept->chunk_before != 0) {
        Place before{record.place.segment, record.place.offset - accept->chunk_before, accept->chunk_before};
        is_whole &= last_ == before;
        chunks.push_back(before);
    }
    if (!is_whole) {
        incomplete_.push_back({record.header.id, record.place, record.header.unsynced_from});
        return;
    }
    Entry entry = make_entry(*accept, record.place, std::move(chunks));
    if (Entry* older = log_.find(record.header.id)) {
        if (older->extra) entry.rare().old_accepts = older->extra->old_accepts;
        if (older->accept.segment != record.place.segment) entry.rare().old_accepts.push_back(older->accept.segment);
    }
    log_.index.insert_or_assign(log_.index.end(), record.header.id, std::move(entry));
}

void Replay::on_state(const Scanned& record)
{
    auto state = decode_state(record.payload);
    if (!state) return report(state.error().text(), record.place.offset, record.place.offset + record.place.length);
    Entry* entry = log_.find(record.header.id);
    if (!entry) return;    // removed, and this is what is left of it
    entry->apply(*state);
    if (state->is_complete) entry->chain.clear();
    entry->chain.add(record.place);
}

void Replay::on_remove(const Scanned& record)
{
    auto remove = decode_remove(record.payload);
    if (!remove) return report(remove.error().text(), record.place.offset, record.place.offset + record.place.length);
    log_.index.erase(record.header.id);
    for (std::uint32_t target : remove->segments)
        if (target != segment_->number && log_.is_on_disk(target))
            segment_->tombstones.push_back({record.header.id, target});
}

void Replay::end()
{
    for (const Incomplete& one : incomplete_) {
        if (one.place.offset >= unsynced_from_) continue;    // never promised to anybody
        report(fmt::format("message {} has lost content", mail::format(one.id)), one.place.offset,
               one.place.offset + one.place.length);
    }
}

void Replay::on_damage(const Damage& damage)
{
    if (damage.is_torn_write) {
        if (!log_.options.is_read_only)
            log_.logger.info("queue log: the last write before the crash was cut short: {} bytes in segment {:08x}",
                             damage.to - damage.from, segment_->number);
        return;
    }
    report("damaged record", damage.from, damage.to);
}

void Replay::report(const std::string& what, std::uint64_t from, std::uint64_t to)
{
    log_.counts.corrupt_records += 1;
    if (log_.options.is_read_only) return;    // the engine may be writing there just now
    log_.logger.error("queue log: {} in segment {:08x} at {}, {} bytes; set aside in corrupt/", what, segment_->number,
                      from, to - from);
    set_aside(from, to);
}

void Replay::set_aside(std::uint64_t from, std::uint64_t to)
{
    if (++set_aside_ > most_set_aside) return;
    std::string folder = corrupt_folder(log_.files.directory());
    std::string path = fmt::format("{}/{:08x}-{}", folder, segment_->number, from);
    auto copied = [&]() -> Result<void> {
        EKIDEN_TRY(log_.disk.make_folder(folder));
        EKIDEN_TRY_VALUE(file, log_.disk.open(path, Disk::Mode::create));
        Window window(*segment_);
        for (std::uint64_t at = from; at < to; at += window_size) {
            std::string_view piece = window.at(at, std::min(window_size, to - at));
            EKIDEN_TRY(file->write_at({&piece, 1}, at - from));
        }
        return file->sync();
    }();
    if (!copied) log_.logger.warning("queue log: {}", copied.error().text());
}

// The picture of the last checkpoint, or nothing: then all segments are read from their beginnings.
std::optional<Checkpoint> last_checkpoint(Log& log, bool& is_clean)
{
    for (std::string_view name : {clean_checkpoint_name, checkpoint_name}) {
        auto read = read_checkpoint(log.disk, log.files, name);
        if (!read) log.logger.warning("{}; reading the whole log", read.error().text());
        if (!read || !*read) continue;
        is_clean = name == clean_checkpoint_name;
        return std::move(**read);
    }
    return std::nullopt;
}

// Whatever lies in a segment that is not there any more was done with: a segment goes only when nothing in it counts.
void drop_what_is_gone(Log& log)
{
    std::erase_if(log.index, [&log](const auto& one) { return !log.segments.contains(one.second.accept.segment); });
    for (auto& [id, entry] : log.index) {
        for (const Place& place : entry.content.all())
            if (!log.segments.contains(place.segment))
                log.logger.error("queue log: message {} has lost content", mail::format(id));
        if (entry.extra)
            std::erase_if(entry.extra->old_accepts,
                          [&log](std::uint32_t number) { return !log.segments.contains(number); });
        log.add_live(entry);
    }
}

}  // namespace

std::string corrupt_folder(const std::string& directory)
{
    std::size_t slash = directory.find_last_not_of('/');
    slash = directory.rfind('/', slash);
    return slash == directory.npos ? "corrupt" : directory.substr(0, slash) + "/corrupt";
}

Result<void> recover(Log& log)
{
    bool is_read_only = log.options.is_read_only;
    EKIDEN_TRY_VALUE(found, log.files.look(is_read_only));
    for (auto name : found.segments) {
        auto segment = log.files.open(name, is_read_only);
        if (!segment && is_read_only && segment.error().is(ErrorCode::not_found)) continue;    // recycled just now
        if (!segment) return fail(std::move(segment).error());
        log.segments.emplace(name.number, std::move(*segment));
    }
    for (std::uint32_t number : found.spares) log.files.add_spare(number);

    bool is_clean = false;
    Place next;
    if (auto checkpoint = last_checkpoint(log, is_clean)) {
        next = checkpoint->next;
        log.files.reserve_numbers(checkpoint->last_number);
        log.index = std::move(checkpoint->index);
        for (auto& [number, tombstones] : checkpoint->tombstones)
            if (SegmentPtr segment = log.segment(number)) segment->tombstones = std::move(tombstones);
    }
    QueueId newest = log.index.empty() ? QueueId{} : log.index.rbegin()->first;

    Replay replay(log);
    for (auto& [number, segment] : log.segments) {
        if (number < next.segment || is_clean) continue;
        replay.begin(*segment);
        EKIDEN_TRY(scan(*segment, number == next.segment ? next.offset : 0, replay));
        replay.end();
    }
    drop_what_is_gone(log);
    mail::reserve_queue_ids(std::max(newest, replay.newest()));
    log.has_empty_segment = true;

    // From here on things are written that a checkpoint of a clean stop does not know.
    if (is_clean && !is_read_only) {
        EKIDEN_TRY(log.disk.rename(log.files.path_of(clean_checkpoint_name), log.files.path_of(checkpoint_name)));
        EKIDEN_TRY(log.disk.sync_folder(log.files.directory()));
    }
    return {};
}

}  // namespace ekiden::queue
