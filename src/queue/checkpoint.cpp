#include "queue/checkpoint.hpp"

#include "queue/bytes.hpp"
#include "queue/crc32c.hpp"

namespace ekiden::queue {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint64_t checkpoint_epoch = 0;    // segments are numbered from 1
enum Flag : std::uint8_t { flag_expired = 1, flag_warned = 2 };

void put_places(ByteWriter& out, std::span<const Place> places)
{
    out.put(static_cast<std::uint32_t>(places.size()));
    for (const Place& place : places) put_place(out, place);
}

Places get_places(ByteReader& in)
{
    std::vector<Place> places(in.get_count(12));
    for (Place& place : places) place = get_place(in);
    return Places(std::move(places));
}

void put_entry(ByteWriter& out, QueueId id, const Entry& entry)
{
    out.put(id.value);
    out.put(entry.size);
    out.put(static_cast<std::uint64_t>(entry.next_attempt_at.time_since_epoch().count()));
    put_place(out, entry.accept);
    put_places(out, entry.content.all());
    put_places(out, entry.chain.all());
    out.put(entry.attempts);
    out.put(static_cast<std::uint8_t>(entry.state));
    out.put(static_cast<std::uint8_t>((entry.is_expired ? flag_expired : 0) | (entry.was_warned ? flag_warned : 0)));
    out.put(entry.pending.count());
    auto pending = entry.pending.indexes();
    out.put(static_cast<std::uint32_t>(pending.size()));
    for (std::uint32_t index : pending) out.put(index);
    static const std::vector<std::uint32_t> none;
    const auto& old = entry.extra ? entry.extra->old_accepts : none;
    out.put(static_cast<std::uint32_t>(old.size()));
    for (std::uint32_t segment : old) out.put(segment);
}

std::pair<QueueId, Entry> get_entry(ByteReader& in)
{
    QueueId id{in.get<std::uint64_t>()};
    Entry entry;
    entry.size = in.get<std::uint64_t>();
    entry.next_attempt_at = WallTime(Duration(static_cast<std::int64_t>(in.get<std::uint64_t>())));
    entry.accept = get_place(in);
    entry.content = get_places(in);
    entry.chain = get_places(in);
    entry.attempts = in.get<std::uint32_t>();
    auto state = in.get<std::uint8_t>();
    if (state > static_cast<std::uint8_t>(State::held)) in.refuse();
    else entry.state = static_cast<State>(state);
    auto flags = in.get<std::uint8_t>();
    entry.is_expired = flags & flag_expired;
    entry.was_warned = flags & flag_warned;
    auto recipients = in.get<std::uint32_t>();
    if (recipients > 8 * std::uint64_t{entry.accept.length}) in.refuse();    // a recipient takes more than a bit
    else entry.pending = PendingSet(recipients);
    entry.pending.clear();
    for (auto left = in.get_count(4); left > 0; --left) entry.pending.insert(in.get<std::uint32_t>());
    for (auto left = in.get_count(4); left > 0; --left) entry.rare().old_accepts.push_back(in.get<std::uint32_t>());
    return {id, std::move(entry)};
}

}  // namespace

std::string encode_checkpoint(const Log& log, Place next)
{
    ByteWriter out;
    out.put(version);
    put_place(out, next);
    out.put(log.files.last_number());
    std::uint32_t count = 0;
    for (const auto& [number, segment] : log.segments) count += !segment->tombstones.empty();
    out.put(count);
    for (const auto& [number, segment] : log.segments) {
        if (segment->tombstones.empty()) continue;
        out.put(number);
        out.put(static_cast<std::uint32_t>(segment->tombstones.size()));
        for (const Tombstone& tombstone : segment->tombstones) {
            out.put(tombstone.id.value);
            out.put(tombstone.target);
        }
    }
    out.put(static_cast<std::uint32_t>(log.index.size()));
    for (const auto& [id, entry] : log.index) put_entry(out, id, entry);
    return out.take();
}

Result<Checkpoint> decode_checkpoint(std::string_view bytes)
{
    ByteReader in(bytes);
    Checkpoint checkpoint;
    if (in.get<std::uint8_t>() != version) in.refuse();
    checkpoint.next = get_place(in);
    checkpoint.last_number = in.get<std::uint32_t>();
    for (auto left = in.get_count(8); left > 0 && in.is_good(); --left) {
        auto number = in.get<std::uint32_t>();
        std::vector<Tombstone> tombstones(in.get_count(12));
        for (Tombstone& tombstone : tombstones) {
            tombstone.id = QueueId{in.get<std::uint64_t>()};
            tombstone.target = in.get<std::uint32_t>();
        }
        checkpoint.tombstones.emplace_back(number, std::move(tombstones));
    }
    for (auto left = in.get_count(74); left > 0 && in.is_good(); --left)
        checkpoint.index.insert(checkpoint.index.end(), get_entry(in));
    if (!in.is_good() || !in.is_at_end()) return fail(ErrorCode::corrupt, "queue log: bad checkpoint");
    return checkpoint;
}

Result<void> write_checkpoint(Disk& disk, const SegmentFiles& files, const std::string& bytes, std::string_view name)
{
    auto header = encode_header({.kind = Kind::checkpoint,
                                 .ends_batch = true,
                                 .length = static_cast<std::uint32_t>(bytes.size()),
                                 .epoch = checkpoint_epoch,
                                 .payload_check = crc32c(bytes)});
    std::string unfinished = files.path_of(std::string(name) + ".new");
    EKIDEN_TRY_VALUE(file, disk.open(unfinished, Disk::Mode::create));
    std::array<std::string_view, 2> pieces{std::string_view(header.data(), header.size()), bytes};
    EKIDEN_TRY(file->write_at(pieces, 0));
    EKIDEN_TRY(file->sync());
    EKIDEN_TRY(disk.rename(unfinished, files.path_of(name)));
    return disk.sync_folder(files.directory());
}

Result<std::optional<Checkpoint>> read_checkpoint(Disk& disk, const SegmentFiles& files, std::string_view name)
{
    auto file = disk.open(files.path_of(name), Disk::Mode::read);
    if (!file && file.error().is(ErrorCode::not_found)) return std::nullopt;
    if (!file) return fail(std::move(file).error());
    EKIDEN_TRY_VALUE(size, (*file)->size());
    std::string bytes(size, '\0');
    EKIDEN_TRY_VALUE(count, (*file)->read_at(bytes, 0));
    bytes.resize(count);
    auto header = decode_header(bytes);
    std::string_view payload = std::string_view(bytes).substr(std::min(header_size, bytes.size()));
    if (!header || header->kind != Kind::checkpoint || header->epoch != checkpoint_epoch ||
        header->length != payload.size() || crc32c(payload) != header->payload_check)
        return fail(ErrorCode::corrupt, "queue log: damaged checkpoint");
    EKIDEN_TRY_VALUE(checkpoint, decode_checkpoint(payload));
    return std::optional<Checkpoint>(std::move(checkpoint));
}

}  // namespace ekiden::queue
