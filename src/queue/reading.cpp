#include "queue/reading.hpp"

#include <algorithm>

namespace ekiden::queue {
namespace {

constexpr std::string_view missing_segment = "queue log: a segment of this message is missing";

Result<std::string> read_one(const Segment& segment, Place place, QueueId id)
{
    return read_record(segment, place, id);
}

// The one chunk of a small message stands right before its accept record.
bool is_contiguous(const Version& version)
{
    return version.content.size() == 1 && version.content[0].segment == version.accept.segment &&
           version.content[0].offset + version.content[0].length == version.accept.offset;
}

}  // namespace

const Segment* Reference::segment(std::uint32_t number) const
{
    auto at = std::ranges::find_if(segments, [number](const SegmentPtr& one) { return one->number == number; });
    return at == segments.end() ? nullptr : at->get();
}

Reference make_reference(const Log& log, QueueId id, const Entry& entry)
{
    Reference reference{.id = id,
                        .version = Version::of(entry),
                        .facts = entry.facts(),
                        .pending = entry.pending.indexes(),
                        .size = entry.size};
    if (entry.extra) reference.unwritten = entry.extra->unwritten;
    auto pin = [&](const Place& place) {
        if (reference.segment(place.segment)) return;
        if (SegmentPtr segment = log.segment(place.segment)) reference.segments.push_back(std::move(segment));
    };
    pin(entry.accept);
    for (const Place& place : entry.chain.all()) pin(place);
    reference.content = content_in_log(log, id, entry.size, reference.version.content);
    return reference;
}

Result<AcceptRecord> read_accept(const Reference& reference, const RecordSource& source)
{
    const Segment* segment = reference.segment(reference.version.accept.segment);
    if (!segment) return fail(ErrorCode::corrupt, std::string(missing_segment));
    EKIDEN_TRY_VALUE(payload, source(*segment, reference.version.accept, reference.id));
    EKIDEN_TRY_VALUE(record, decode_accept(payload));
    record.envelope.id = reference.id;
    return std::move(record);
}

Result<StateRecord> read_state(const Reference& reference, const AcceptRecord& accept, const RecordSource& source)
{
    PendingReasons reasons(accept);
    for (const Place& place : reference.version.chain) {
        const Segment* segment = reference.segment(place.segment);
        if (!segment) return fail(ErrorCode::corrupt, std::string(missing_segment));
        EKIDEN_TRY_VALUE(payload, source(*segment, place, reference.id));
        EKIDEN_TRY_VALUE(state, decode_state(payload));
        reasons.apply(state);
    }
    for (const auto& payload : reference.unwritten) {
        EKIDEN_TRY_VALUE(state, decode_state(*payload));
        reasons.apply(state);
    }
    StateRecord whole = reference.facts;
    whole.is_complete = true;
    whole.deferred = reasons.take();
    return whole;
}

Result<Loaded> read_message(const Reference& reference, const RecordSource& source)
{
    EKIDEN_TRY_VALUE(accept, read_accept(reference, source));
    EKIDEN_TRY_VALUE(state, read_state(reference, accept, source));
    Loaded loaded{.pending = std::move(state.deferred), .content = reference.content, .state = state.state,
                  .next_attempt_at = state.next_attempt_at, .attempts = static_cast<int>(state.attempts),
                  .was_warned = state.was_warned, .is_expired = state.is_expired};
    loaded.envelope = std::make_shared<const mail::Envelope>(std::move(accept.envelope));
    return loaded;
}

Result<Loaded> load_message(const Log& log, const Reference& reference)
{
    const Version& version = reference.version;
    const Segment* segment = reference.segment(version.accept.segment);
    bool fits = log.budget->used + reference.size <= log.budget->limit;
    if (!segment || !fits || !is_contiguous(version) || reference.size > log.options.memory_per_message)
        return read_message(reference, read_one);

    Place chunk = version.content[0];
    std::string both(chunk.length + version.accept.length, '\0');
    EKIDEN_TRY_VALUE(count, segment->file->read_at(both, chunk.offset));
    both.resize(count);
    std::string_view accept = std::string_view(both).substr(std::min<std::size_t>(chunk.length, both.size()));
    RecordSource source = [&](const Segment& from, Place place, QueueId id) -> Result<std::string> {
        if (place != version.accept) return read_record(from, place, id);
        EKIDEN_TRY_VALUE(payload, record_payload(accept, from, place, id));
        return std::string(payload);
    };
    EKIDEN_TRY_VALUE(loaded, read_message(reference, source));
    // Damaged content is told by its reader, as it would be were it read piece by piece.
    if (auto bytes = record_payload(both, *segment, chunk, reference.id))
        if (ContentPtr content = content_in_memory(log.budget, std::make_shared<const std::string>(*bytes)))
            loaded.content = std::move(content);
    return std::move(loaded);
}

}  // namespace ekiden::queue
