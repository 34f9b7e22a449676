#include "queue/units.hpp"

#include "queue/crc32c.hpp"

#include <algorithm>

namespace ekiden::queue {
namespace {

// From this length on a chain of state records is written anew as one.
constexpr std::size_t long_chain = 8;

Unit::Piece piece(Kind kind, std::string_view payload)
{
    return {.kind = kind, .payload = payload, .check = crc32c(payload)};
}

// A chunk that lies where a failed sync left it in doubt.
bool is_lost(const Log& log, const Place& place)
{
    SegmentPtr segment = log.segment(place.segment);
    return !segment || (segment->failed_from && place.offset >= *segment->failed_from);
}

void replace_chain(Log& log, Entry& entry, Place place)
{
    for (const Place& old : entry.chain.all()) log.drop_live(old);
    entry.chain.clear();
    entry.chain.add(place);
    log.add_live(place);
}

}  // namespace

ChunkUnit::ChunkUnit(QueueId message, std::string chunk, std::function<void(Place, SegmentPtr)> placed)
    : Unit(message), chunk_(std::move(chunk)), placed_(std::move(placed))
{
    pieces.push_back(piece(Kind::chunk, chunk_));
    needs_sync = false;
}

void ChunkUnit::after_write(Log& log, Effects&) { placed_(pieces[0].place, log.segment(pieces[0].place.segment)); }

AcceptUnit::AcceptUnit(EnvelopePtr envelope, std::shared_ptr<const std::string> last_chunk, FlushedChunks flushed)
    : Unit(envelope->id), envelope_(std::move(envelope)), last_chunk_(std::move(last_chunk)),
      flushed_(std::move(flushed))
{
    AcceptRecord record{.envelope = *envelope_, .chunks = flushed_.places};
    if (!last_chunk_->empty()) {
        pieces.push_back(piece(Kind::chunk, *last_chunk_));
        record.chunk_before = static_cast<std::uint32_t>(record_size(last_chunk_->size()));
    }
    payload_ = encode(record);
    pieces.push_back(piece(Kind::accept, payload_));
}

Result<void> AcceptUnit::before_write(Log& log)
{
    if (log.index.contains(id)) return fail(ErrorCode::refused, "queue: a message of this id exists");
    for (const Place& place : flushed_.places)
        if (is_lost(log, place)) return fail(ErrorCode::unavailable, "queue log: the disk lost a part of this message");
    return {};
}

void AcceptUnit::after_write(Log& log, Effects& effects)
{
    std::vector<Place> chunks = flushed_.places;
    if (pieces.size() > 1) chunks.push_back(pieces[0].place);
    // Content that does not fit the budget is forgotten here and read back when its turn comes.
    ContentPtr content;
    if (flushed_.places.empty()) content = content_in_memory(log.budget, last_chunk_);
    if (!content) content = content_in_log(log, id, envelope_->size, chunks);
    Entry entry = make_entry({.envelope = *envelope_}, pieces.back().place, std::move(chunks));
    log.add_live(entry);
    log.index.emplace_hint(log.index.end(), id, std::move(entry));
    log.counts.commits += 1;
    effects.accepted.push_back({envelope_, std::move(content)});
}

// The client hears an error, yet the record may have reached the disk: it must not come back at the next start.
UnitPtr AcceptUnit::after_failure(Log&, const std::vector<std::uint32_t>& tried)
{
    if (tried.empty()) return nullptr;
    return std::make_unique<RemoveUnit>(id, tried);
}

StateUnit::StateUnit(QueueId message, Entry& entry, Kind kind, const StateRecord& record)
    : Unit(message), payload_(std::make_shared<const std::string>(encode(record))), is_complete_(record.is_complete)
{
    pieces.push_back(piece(kind, *payload_));
    outlives_trouble = true;
    entry.rare().unwritten.push_back(payload_);
}

void StateUnit::after_write(Log& log, Effects& effects)
{
    if (change) effects.changed.emplace_back(id, *change);
    Entry* entry = log.find(id);
    if (!entry) return;    // removed since
    std::erase(entry->rare().unwritten, payload_);
    if (is_complete_) {
        replace_chain(log, *entry, pieces[0].place);
    } else {
        entry->chain.add(pieces[0].place);
        log.add_live(pieces[0].place);
        // Not with each record: a message whose recipients are done one by one has thousands before the next look.
        if (entry->chain.size() % long_chain == 0) log.to_fold.push_back(id);
    }
    if (entry->extra->unwritten.empty() && entry->extra->old_accepts.empty()) entry->extra.reset();
}

RemoveUnit::RemoveUnit(QueueId message, std::vector<std::uint32_t> segments)
    : Unit(message), segments_(std::move(segments)), payload_(encode(RemoveRecord{segments_}))
{
    pieces.push_back(piece(Kind::remove, payload_));
    outlives_trouble = true;
    is_urgent = false;
}

void RemoveUnit::after_write(Log& log, Effects& effects)
{
    if (SegmentPtr here = log.segment(pieces[0].place.segment))
        for (std::uint32_t target : segments_)
            if (target != here->number && log.is_on_disk(target)) here->tombstones.push_back({id, target});
    if (tells_listener) effects.changed.emplace_back(id, Change::remove);
}

Version Version::of(const Entry& entry)
{
    auto content = entry.content.all(), chain = entry.chain.all();
    return {entry.accept, {content.begin(), content.end()}, {chain.begin(), chain.end()}};
}

bool Version::is_of(const Entry& entry) const
{
    return entry.accept == accept && std::ranges::equal(entry.content.all(), content) &&
           std::ranges::equal(entry.chain.all(), chain) && (!entry.extra || entry.extra->unwritten.empty());
}

static Result<void> check_version(Log& log, QueueId id, const Version& read)
{
    Entry* entry = log.find(id);
    if (entry && read.is_of(*entry)) return {};
    return fail(ErrorCode::cancelled, "queue log: the message changed meanwhile");
}

MoveUnit::MoveUnit(QueueId message, Version read, const AcceptRecord& record, std::vector<SegmentPtr> pins)
    : Unit(message), read_(std::move(read)), chunks_(record.chunks), pins_(std::move(pins)), payload_(encode(record))
{
    pieces.push_back(piece(Kind::move, payload_));
}

Result<void> MoveUnit::before_write(Log& log)
{
    for (const Place& place : chunks_)
        if (is_lost(log, place)) return fail(ErrorCode::unavailable, "queue log: the disk lost the copy");
    EKIDEN_TRY(check_version(log, id, read_));
    // From now on this segment may hold an accept record, whatever becomes of the write: a remove must know.
    log.find(id)->rare().old_accepts.push_back(log.current);
    return {};
}

void MoveUnit::after_write(Log& log, Effects&)
{
    Entry* entry = log.find(id);
    if (!entry) return;    // removed while this was written: its remove record stands behind this one
    // Settled while this was written: those records stand behind this one, in the entry as unwritten.
    log.drop_live(*entry);
    auto& old = entry->rare().old_accepts;
    old.push_back(entry->accept.segment);
    std::erase_if(
        old, [&](std::uint32_t segment) { return segment == pieces[0].place.segment || !log.is_on_disk(segment); });
    entry->accept = pieces[0].place;
    entry->content = Places(chunks_);
    entry->chain.clear();
    log.add_live(*entry);
}

FoldUnit::FoldUnit(QueueId message, Version read, const StateRecord& record)
    : Unit(message), read_(std::move(read)), payload_(encode(record))
{
    pieces.push_back(piece(Kind::settle, payload_));
}

Result<void> FoldUnit::before_write(Log& log) { return check_version(log, id, read_); }

void FoldUnit::after_write(Log& log, Effects&)
{
    if (Entry* entry = log.find(id)) replace_chain(log, *entry, pieces[0].place);
}

}  // namespace ekiden::queue
