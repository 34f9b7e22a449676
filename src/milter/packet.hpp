// The packets of the milter protocol (libmilter, versions 2 to 6): a length of four bytes, a letter, what the letter
// has to say. Numbers are in network byte order, texts end in a NUL.
//
// Pure. What comes from a milter is untrusted: a packet longer than `max_packet` is a protocol error before its bytes
// are read, and whoever takes a field that is not there gets an error, not what lies behind it. Thread: values.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::milter {

// What we say.
enum class Command : char {
    negotiate = 'O',
    macros = 'D',
    connect = 'C',
    helo = 'H',
    mail = 'M',
    rcpt = 'R',
    data = 'T',
    unknown = 'U',
    header = 'L',
    end_of_header = 'N',
    body = 'B',
    end_of_message = 'E',
    abort = 'A',
    quit = 'Q',
    quit_for_new_connection = 'K',
};

// What a milter says.
enum class Response : char {
    negotiate = 'O',
    proceed = 'c',
    accept = 'a',
    reject = 'r',
    tempfail = 't',
    discard = 'd',
    reply_code = 'y',
    skip = 's',
    progress = 'p',
    quarantine = 'q',
    connection_failure = 'f',
    shutdown = '4',
    add_header = 'h',
    insert_header = 'i',
    change_header = 'm',
    replace_body = 'b',
    change_from = 'e',
    add_recipient = '+',
    add_recipient_with_arguments = '2',
    remove_recipient = '-',
    set_symbols = 'l',
};

// What a milter may ask for at the end of the message, as the negotiation says it.
namespace action {
inline constexpr std::uint32_t add_headers = 0x01, change_body = 0x02, add_recipients = 0x04, remove_recipients = 0x08,
                               change_headers = 0x10, quarantine = 0x20, change_from = 0x40,
                               add_recipients_with_arguments = 0x80, set_symbols = 0x100, all = 0x1ff;
} // namespace action

// Which steps of the conversation a milter does without, or does not answer.
namespace step {
inline constexpr std::uint32_t no_connect = 0x01, no_helo = 0x02, no_mail = 0x04, no_rcpt = 0x08, no_body = 0x10,
                               no_headers = 0x20, no_end_of_header = 0x40, mute_header = 0x80, no_unknown = 0x100,
                               no_data = 0x200, skip = 0x400, rejected_rcpt = 0x800, mute_connect = 0x1000,
                               mute_helo = 0x2000, mute_mail = 0x4000, mute_rcpt = 0x8000, mute_data = 0x10000,
                               mute_unknown = 0x20000, mute_end_of_header = 0x40000, mute_body = 0x80000,
                               leading_space = 0x100000, all = 0x1fffff;
} // namespace step

inline constexpr std::size_t max_body_chunk = 65535; // MILTER_CHUNK_SIZE: longer ones milters need not understand
inline constexpr std::size_t max_packet = 1 << 20;   // of what a milter says: no header line, no body chunk is longer

// A packet in the making.
class PacketWriter {
public:
    // `out` gets the packet, and is the caller's.
    PacketWriter(std::string& out, Command command);
    ~PacketWriter() { close(); }
    PacketWriter(const PacketWriter&) = delete;

    PacketWriter& letter(char c);
    PacketWriter& number(std::uint32_t value);
    PacketWriter& short_number(std::uint16_t value);
    PacketWriter& text(std::string_view value); // up to its first NUL, and one behind it
    PacketWriter& bytes(std::string_view value);

private:
    void close();
    std::string& out_;
    std::size_t begin_;
};

// A packet that came; the views live as long as the bytes they were read from.
struct Packet {
    char letter = 0;
    std::string_view data;
};

// The next packet at the start of `bytes`, which loses it; nothing when it has not come as a whole.
Result<std::optional<Packet>> take_packet(std::string_view& bytes);

// Reads the fields of a packet one after the other.
class FieldReader {
public:
    explicit FieldReader(std::string_view data) : rest_(data) {}
    Result<std::uint32_t> number();
    Result<std::string_view> text();                              // without its NUL; an error when there is none
    std::string_view bytes() { return std::exchange(rest_, {}); } // all that is left
    bool is_at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

} // namespace ekiden::milter
