// Emptying sparse segments: what still counts in them is written again at the end of the log, so that the file can be
// recycled. A rewrite counts only if the message is still as it was read; a crash leaves the old or both, never none.
#include "queue/housekeeper.hpp"
#include "queue/reading.hpp"
#include "queue/units.hpp"

#include <algorithm>

namespace ekiden::queue {
namespace {

constexpr std::uint64_t bytes_a_round = 8 << 20;      // read and written again, about once a second
constexpr std::size_t spare_fraction = 2;             // emptied when less than 1/2 counts
constexpr std::uint64_t segments_not_worth_it = 4;    // the log may be that long, however little counts in it

bool lies_in(const Entry& entry, std::uint32_t number)
{
    auto is_there = [number](const Place& place) { return place.segment == number; };
    return is_there(entry.accept) || std::ranges::any_of(entry.content.all(), is_there) ||
           std::ranges::any_of(entry.chain.all(), is_there);
}

Result<std::string> read_one(const Segment& segment, Place place, QueueId id)
{
    return read_record(segment, place, id);
}

struct Moving {
    Reference reference;
    AcceptRecord accept;
    std::vector<SegmentPtr> pins;
    bool is_whole = true;
};

}  // namespace

void Housekeeper::fold()
{
    std::vector<Reference> references;
    {
        std::lock_guard lock(log_.mutex);
        auto ids = std::exchange(log_.to_fold, {});
        std::ranges::sort(ids);
        ids.erase(std::ranges::unique(ids).begin(), ids.end());
        for (QueueId id : ids)
            if (Entry* entry = log_.find(id); entry && entry->chain.size() > 1)
                references.push_back(make_reference(log_, id, *entry));
    }
    std::vector<UnitPtr> units;
    for (const Reference& reference : references) {
        if (!reference.unwritten.empty()) continue;    // its next record brings it here again
        auto accept = read_accept(reference, read_one);
        if (!accept) continue;
        auto state = read_state(reference, *accept, read_one);
        if (state) units.push_back(std::make_unique<FoldUnit>(reference.id, reference.version, *state));
    }
    (void)committer_.submit_now(std::move(units)).has_value();    // a message that changed meanwhile comes again
}

void Housekeeper::compact()
{
    SegmentPtr victim;
    {
        std::lock_guard lock(log_.mutex);
        std::uint64_t total = 0;
        for (const auto& [number, segment] : log_.segments) total += segment->size;
        if (log_.segments.size() <= segments_not_worth_it || total < spare_fraction * log_.counts.live_bytes) return;
        for (const auto& [number, segment] : log_.segments) {
            if (number == log_.current || unmovable_.contains(number) ||
                segment->live >= segment->size / spare_fraction)
                continue;
            if (segment->live == 0 && segment->tombstones.empty()) continue;    // recycle() takes it
            if (!victim || segment->live < victim->live) victim = segment;
        }
    }
    if (victim) empty_segment(victim);
}

void Housekeeper::empty_segment(const SegmentPtr& victim)
{
    std::vector<Moving> movings;
    std::vector<UnitPtr> removes;
    bool is_empty = false;
    {
        std::lock_guard lock(log_.mutex);
        std::uint64_t bytes = 0;
        for (const auto& [id, entry] : log_.index) {
            if (bytes > bytes_a_round) break;
            if (!lies_in(entry, victim->number) || (entry.extra && !entry.extra->unwritten.empty())) continue;
            movings.push_back({.reference = make_reference(log_, id, entry), .accept = {}, .pins = {}});
            bytes += entry.accept.length;
            for (const Place& place : entry.content.all()) bytes += place.segment == victim->number ? place.length : 0;
        }
        is_empty = victim->live == 0;
        if (is_empty) {
            std::erase_if(victim->tombstones, [this](const Tombstone& one) { return !log_.is_on_disk(one.target); });
            for (const Tombstone& one : victim->tombstones)
                removes.push_back(std::make_unique<RemoveUnit>(one.id, std::vector<std::uint32_t>{one.target}));
        }
    }
    if (is_empty) {
        for (UnitPtr& unit : removes) unit->is_urgent = true;
        if (!committer_.submit_now(std::move(removes))) return;
        std::lock_guard lock(log_.mutex);
        victim->tombstones.clear();    // nothing is added to a segment that is full
        log_.has_empty_segment = true;
        return;
    }

    std::vector<UnitPtr> chunks;
    for (Moving& moving : movings) {
        const Reference& reference = moving.reference;
        auto accept = read_accept(reference, read_one);
        Result<StateRecord> state = accept ? read_state(reference, *accept, read_one) : fail(accept.error());
        moving.is_whole = state.has_value();
        if (!moving.is_whole) continue;
        moving.accept = std::move(*accept);
        moving.accept.state = std::move(*state);
        moving.accept.chunk_before = 0;
        moving.accept.chunks = reference.version.content;
        for (std::size_t i = 0; i < moving.accept.chunks.size(); ++i) {
            Place place = moving.accept.chunks[i];
            if (place.segment != victim->number) continue;
            auto bytes = read_record(*victim, place);
            moving.is_whole &= bytes.has_value();
            if (!bytes) break;
            chunks.push_back(
                std::make_unique<ChunkUnit>(QueueId{}, std::move(*bytes), [&moving, i](Place at, SegmentPtr segment) {
                    moving.accept.chunks[i] = at;
                    moving.pins.push_back(std::move(segment));
                }));
        }
    }
    if (!committer_.submit_now(std::move(chunks))) return;
    std::vector<UnitPtr> moves;
    for (Moving& moving : movings) {
        if (!moving.is_whole) {
            log_.logger.error("queue log: message {} cannot be moved out of segment {:08x}: damaged",
                              mail::format(moving.reference.id), victim->number);
            unmovable_.insert(victim->number);
            continue;
        }
        moves.push_back(std::make_unique<MoveUnit>(moving.reference.id, moving.reference.version, moving.accept,
                                                   std::move(moving.pins)));
    }
    (void)committer_.submit_now(std::move(moves)).has_value();    // what changed meanwhile is moved in a later round
}

}  // namespace ekiden::queue
