// The bytes of the log: record headers and the payload of every kind, encode and decode. docs/queue.md shows them byte
// by byte; nothing here knows about files. Numbers are little-endian. Decoding takes bytes that may be anything: every
// length and count is held against what is there. Thread: pure functions.
#pragma once

#include "mail/envelope.hpp"
#include "queue/store.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::queue {

class ByteReader;
class ByteWriter;

inline constexpr std::size_t header_size = 40;
inline constexpr std::uint64_t record_alignment = 8;
// Batches begin on a block, so that writing one never touches bytes of the one before.
inline constexpr std::uint64_t block_size = 4096;

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }
constexpr std::uint64_t record_size(std::uint64_t payload) { return align_up(header_size + payload, record_alignment); }

enum class Kind : std::uint8_t {
    chunk = 1,         // bytes of content
    accept = 2,        // a message is in the queue
    settle = 3,        // recipients done, or deferred with reasons
    hold = 4,
    release = 5,
    requeue = 6,
    expire = 7,
    remove = 8,        // the message is gone
    move = 9,          // as accept, with the state as it is now: written when a segment is emptied
    note = 10,         // nothing: written to see whether the disk takes it
    checkpoint = 11,   // only in the checkpoint file
};

struct Header {
    Kind kind = Kind::note;
    bool ends_batch = false;            // what follows up to the next block is padding
    std::uint32_t length = 0;           // of the payload
    std::uint32_t unsynced_from = 0;    // where, in this segment, the bytes began that no sync had covered yet
    std::uint64_t epoch = 0;            // the segment's secret: bytes of its former life have another
    QueueId id;
    std::uint32_t payload_check = 0;    // CRC-32C
};

std::array<char, header_size> encode_header(const Header& header);
// Nothing unless magic, check and kind are right. The epoch is the caller's to compare.
std::optional<Header> decode_header(std::string_view bytes);

// A record's place: segment number, offset of its header, length with header and alignment.
struct Place {
    std::uint32_t segment = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    bool operator==(const Place&) const = default;
    explicit operator bool() const { return length != 0; }
};

void put_place(ByteWriter& out, const Place& place);
Place get_place(ByteReader& in);

// Payload of settle, hold, release, requeue and expire: the facts as they are after it (so that applying one twice
// does no harm), and what it says about recipients.
struct StateRecord {
    State state = State::incoming;
    bool is_expired = false;
    bool was_warned = false;
    bool is_complete = false;           // the deferred are all that is pending: nothing before this record matters
    std::uint32_t attempts = 0;
    WallTime next_attempt_at{};
    std::vector<std::uint32_t> done;
    std::vector<Pending> deferred;
};

// Payload of accept and move. The content is the chunks, then the chunk record that ends `chunk_before` bytes of
// record back (0 = none): a small message is written in one piece whose place nobody knows beforehand.
struct AcceptRecord {
    mail::Envelope envelope;            // without id: the header has it
    std::uint32_t chunk_before = 0;
    std::vector<Place> chunks;
    std::optional<StateRecord> state;   // move only
};

// Payload of remove: the segments that may hold an accept record of the message. The remove must outlive them.
struct RemoveRecord {
    std::vector<std::uint32_t> segments;
};

std::string encode(const AcceptRecord& record);
std::string encode(const StateRecord& record);
std::string encode(const RemoveRecord& record);
Result<AcceptRecord> decode_accept(std::string_view payload);
Result<StateRecord> decode_state(std::string_view payload);
Result<RemoveRecord> decode_remove(std::string_view payload);

}  // namespace ekiden::queue
