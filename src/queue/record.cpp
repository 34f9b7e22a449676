#include "queue/record.hpp"

#include "queue/bytes.hpp"
#include "queue/crc32c.hpp"

#include <algorithm>

namespace ekiden::queue {
namespace {

constexpr std::uint32_t magic = 0x476b4501;    // 01 'E' 'k' 'G': the first byte is the version of the header
constexpr std::uint8_t payload_version = 1;
constexpr std::uint8_t flag_ends_batch = 1;

enum StateFlag : std::uint8_t { state_expired = 1, state_warned = 2, state_complete = 4 };
// The last two say that more stands at the end: the server's address and port (two texts); the purpose and the VERP
// delimiters (a byte and a text). Records written without them are read as they were.
enum EnvelopeFlag : std::uint8_t {
    envelope_smtputf8 = 1,
    envelope_held = 2,
    envelope_expired = 4,
    envelope_warned = 8,
    envelope_server = 16,
    envelope_purpose = 32,
    envelope_all = 63,
};

std::uint8_t flag(bool is_set, std::uint8_t value) { return is_set ? value : std::uint8_t{0}; }
std::uint64_t to_number(WallTime time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }
WallTime to_time(std::uint64_t number) { return WallTime(Duration(static_cast<std::int64_t>(number))); }

void put_state(ByteWriter& out, const StateRecord& record)
{
    out.put(static_cast<std::uint8_t>(record.state));
    out.put(static_cast<std::uint8_t>(flag(record.is_expired, state_expired) | flag(record.was_warned, state_warned) |
                                      flag(record.is_complete, state_complete)));
    out.put(record.attempts);
    out.put(to_number(record.next_attempt_at));
    out.put(static_cast<std::uint32_t>(record.done.size()));
    for (std::uint32_t index : record.done) out.put(index);
    out.put(static_cast<std::uint32_t>(record.deferred.size()));
    for (const Pending& pending : record.deferred) {
        out.put(pending.index);
        out.put_text(pending.reason.code);
        out.put_text(pending.reason.text);
    }
}

StateRecord get_state(ByteReader& in)
{
    StateRecord record;
    auto state = in.get<std::uint8_t>();
    if (state > static_cast<std::uint8_t>(State::held)) in.refuse();
    else record.state = static_cast<State>(state);
    auto flags = in.get<std::uint8_t>();
    if (flags > (state_expired | state_warned | state_complete)) in.refuse();
    record.is_expired = flags & state_expired;
    record.was_warned = flags & state_warned;
    record.is_complete = flags & state_complete;
    record.attempts = in.get<std::uint32_t>();
    record.next_attempt_at = to_time(in.get<std::uint64_t>());
    record.done.resize(in.get_count(sizeof(std::uint32_t)));
    for (std::uint32_t& index : record.done) index = in.get<std::uint32_t>();
    for (auto left = in.get_count(3 * sizeof(std::uint32_t)); left > 0 && in.is_good(); --left) {
        Pending pending;
        pending.index = in.get<std::uint32_t>();
        pending.reason.code = in.get_text();
        pending.reason.text = in.get_text();
        record.deferred.push_back(std::move(pending));
    }
    return record;
}

// The texts of an envelope in the order they are stored; one list for both directions.
template <class E, class F>
void for_each_text(E& envelope, F f)
{
    for (auto* text : {&envelope.sender, &envelope.full_name, &envelope.origin.client_name,
                       &envelope.origin.reverse_name, &envelope.origin.client_address, &envelope.origin.client_port,
                       &envelope.origin.helo_name, &envelope.origin.protocol, &envelope.origin.sasl_method,
                       &envelope.origin.sasl_username, &envelope.origin.sasl_sender, &envelope.origin.log_ident,
                       &envelope.origin.rewrite_context, &envelope.dsn_envid, &envelope.filter, &envelope.redirect})
        f(*text);
}

Result<void> finish(const ByteReader& in, const char* what)
{
    if (in.is_good() && in.is_at_end()) return {};
    return fail(ErrorCode::corrupt, std::string("queue record: bad ") + what);
}

}  // namespace

void put_place(ByteWriter& out, const Place& place)
{
    out.put(place.segment);
    out.put(place.offset);
    out.put(place.length);
}

Place get_place(ByteReader& in)
{
    Place place;
    place.segment = in.get<std::uint32_t>();
    place.offset = in.get<std::uint32_t>();
    place.length = in.get<std::uint32_t>();
    return place;
}

std::array<char, header_size> encode_header(const Header& header)
{
    ByteWriter out;
    out.put(magic);
    out.put(static_cast<std::uint8_t>(header.kind));
    out.put(flag(header.ends_batch, flag_ends_batch));
    out.put(std::uint16_t{0});
    out.put(header.length);
    out.put(header.unsynced_from);
    out.put(header.epoch);
    out.put(header.id.value);
    out.put(header.payload_check);
    std::string bytes = out.take();
    ByteWriter check;
    check.put(crc32c(bytes));
    bytes += check.take();
    std::array<char, header_size> result;
    std::ranges::copy(bytes, result.begin());
    return result;
}

std::optional<Header> decode_header(std::string_view bytes)
{
    // The first byte decides most of the time: looking for a lost record's successor asks at every eighth byte.
    if (bytes.size() < header_size || bytes.front() != static_cast<char>(magic & 0xff)) return std::nullopt;
    ByteReader in(bytes.substr(0, header_size));
    if (in.get<std::uint32_t>() != magic) return std::nullopt;
    Header header;
    auto kind = in.get<std::uint8_t>();
    auto flags = in.get<std::uint8_t>();
    auto reserved = in.get<std::uint16_t>();
    header.length = in.get<std::uint32_t>();
    header.unsynced_from = in.get<std::uint32_t>();
    header.epoch = in.get<std::uint64_t>();
    header.id = QueueId{in.get<std::uint64_t>()};
    header.payload_check = in.get<std::uint32_t>();
    if (in.get<std::uint32_t>() != crc32c(bytes.substr(0, header_size - sizeof(std::uint32_t)))) return std::nullopt;
    if (kind < static_cast<std::uint8_t>(Kind::chunk) || kind > static_cast<std::uint8_t>(Kind::checkpoint))
        return std::nullopt;
    if (flags > flag_ends_batch || reserved != 0) return std::nullopt;
    header.kind = static_cast<Kind>(kind);
    header.ends_batch = flags & flag_ends_batch;
    return header;
}

std::string encode(const AcceptRecord& record)
{
    const mail::Envelope& envelope = record.envelope;
    const mail::Origin& origin = envelope.origin;
    const bool has_server = !origin.server_address.empty() || !origin.server_port.empty();
    const bool has_purpose = envelope.purpose != mail::Purpose::deliver || !envelope.verp_delimiters.empty();
    ByteWriter out;
    out.put(payload_version);
    out.put(static_cast<std::uint8_t>(
        flag(envelope.is_smtputf8, envelope_smtputf8) | flag(envelope.is_held, envelope_held) |
        flag(envelope.is_expired, envelope_expired) | flag(envelope.was_warned, envelope_warned) |
        flag(has_server, envelope_server) | flag(has_purpose, envelope_purpose)));
    out.put(static_cast<std::uint8_t>(envelope.body));
    out.put(static_cast<std::uint8_t>(envelope.dsn_return));
    out.put(to_number(envelope.arrived_at));
    out.put(envelope.size);
    for_each_text(envelope, [&out](const std::string& text) { out.put_text(text); });
    out.put(static_cast<std::uint32_t>(envelope.recipients.size()));
    for (const mail::Recipient& recipient : envelope.recipients) {
        out.put(recipient.notify);
        out.put_text(recipient.address);
        out.put_text(recipient.original);
        out.put_text(recipient.dsn_original);
    }
    out.put(record.chunk_before);
    out.put(static_cast<std::uint32_t>(record.chunks.size()));
    for (const Place& place : record.chunks) put_place(out, place);
    out.put(static_cast<std::uint8_t>(record.state ? 1 : 0));
    if (record.state) put_state(out, *record.state);
    if (has_server) {
        out.put_text(origin.server_address);
        out.put_text(origin.server_port);
    }
    if (has_purpose) {
        out.put(static_cast<std::uint8_t>(envelope.purpose));
        out.put_text(envelope.verp_delimiters);
    }
    return out.take();
}

Result<AcceptRecord> decode_accept(std::string_view payload)
{
    ByteReader in(payload);
    AcceptRecord record;
    mail::Envelope& envelope = record.envelope;
    if (in.get<std::uint8_t>() != payload_version) in.refuse();
    auto flags = in.get<std::uint8_t>();
    if (flags > envelope_all) in.refuse();
    envelope.is_smtputf8 = flags & envelope_smtputf8;
    envelope.is_held = flags & envelope_held;
    envelope.is_expired = flags & envelope_expired;
    envelope.was_warned = flags & envelope_warned;
    auto body = in.get<std::uint8_t>();
    auto dsn_return = in.get<std::uint8_t>();
    if (body > static_cast<std::uint8_t>(mail::BodyType::eight_bit) ||
        dsn_return > static_cast<std::uint8_t>(mail::DsnReturn::headers)) {
        in.refuse();
    } else {
        envelope.body = static_cast<mail::BodyType>(body);
        envelope.dsn_return = static_cast<mail::DsnReturn>(dsn_return);
    }
    envelope.arrived_at = to_time(in.get<std::uint64_t>());
    envelope.size = in.get<std::uint64_t>();
    for_each_text(envelope, [&in](std::string& text) { text = in.get_text(); });
    for (auto left = in.get_count(1 + 3 * sizeof(std::uint32_t)); left > 0 && in.is_good(); --left) {
        mail::Recipient recipient;
        recipient.notify = in.get<std::uint8_t>();
        recipient.address = in.get_text();
        recipient.original = in.get_text();
        recipient.dsn_original = in.get_text();
        envelope.recipients.push_back(std::move(recipient));
    }
    record.chunk_before = in.get<std::uint32_t>();
    record.chunks.resize(in.get_count(3 * sizeof(std::uint32_t)));
    for (Place& place : record.chunks) place = get_place(in);
    auto has_state = in.get<std::uint8_t>();
    if (has_state > 1) in.refuse();
    if (has_state == 1) record.state = get_state(in);
    if (flags & envelope_server) {
        envelope.origin.server_address = in.get_text();
        envelope.origin.server_port = in.get_text();
    }
    if (flags & envelope_purpose) {
        const auto purpose = in.get<std::uint8_t>();
        if (purpose > static_cast<std::uint8_t>(mail::Purpose::probe)) in.refuse();
        else envelope.purpose = static_cast<mail::Purpose>(purpose);
        envelope.verp_delimiters = in.get_text();
        if (!envelope.verp_delimiters.empty() && envelope.verp_delimiters.size() != 2) in.refuse();
        if (envelope.purpose == mail::Purpose::deliver && envelope.verp_delimiters.empty())
            in.refuse();  // nobody writes that
    }
    EKIDEN_TRY(finish(in, "accept"));
    return record;
}

std::string encode(const StateRecord& record)
{
    ByteWriter out;
    out.put(payload_version);
    put_state(out, record);
    return out.take();
}

Result<StateRecord> decode_state(std::string_view payload)
{
    ByteReader in(payload);
    if (in.get<std::uint8_t>() != payload_version) in.refuse();
    StateRecord record = get_state(in);
    EKIDEN_TRY(finish(in, "state"));
    return record;
}

std::string encode(const RemoveRecord& record)
{
    ByteWriter out;
    out.put(payload_version);
    out.put(static_cast<std::uint32_t>(record.segments.size()));
    for (std::uint32_t segment : record.segments) out.put(segment);
    return out.take();
}

Result<RemoveRecord> decode_remove(std::string_view payload)
{
    ByteReader in(payload);
    RemoveRecord record;
    if (in.get<std::uint8_t>() != payload_version) in.refuse();
    record.segments.resize(in.get_count(sizeof(std::uint32_t)));
    for (std::uint32_t& segment : record.segments) segment = in.get<std::uint32_t>();
    EKIDEN_TRY(finish(in, "remove"));
    return record;
}

}  // namespace ekiden::queue
