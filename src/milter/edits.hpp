// What a milter asks to have changed when it has seen the whole message, in the order in which it asks. Pure; whoever
// has the message carries it out. Bounds: `most_edits`, `most_text` bytes of headers and addresses, `longest_address`
// (a client could not say a longer one, and hardly a server would take it), and the caller's bound for a body.
#pragma once

#include "milter/packet.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::milter {

struct Edit {
    enum class Kind : std::uint8_t {
        add_header,       // name, value
        insert_header,    // index, name, value
        change_header,    // index, name, value; an empty value removes it
        change_from,      // value; arguments
        add_recipient,    // value; arguments
        remove_recipient, // value
        replace_body,     // Edits::body is the new one; only the first chunk of it is in the list
    } kind;
    std::uint32_t index = 0;
    std::string name, value, arguments;
};

struct Edits {
    static constexpr std::size_t most_edits = 10'000, most_text = std::size_t{16} << 20;
    static constexpr std::size_t longest_address = 2048; // and its ESMTP arguments

    std::vector<Edit> list;
    std::string body; // CRLF line ends, as it came
    bool has_body = false;
    bool keeps_blanks = false; // values have their own blank behind the colon
    std::size_t text_size = 0;

    bool is_empty() const { return list.empty(); }
};

// Is this the letter of an edit?
bool is_edit(char letter);
// Adds what the packet asks for. An Error: the packet is malformed, or more is asked for than anybody needs.
Result<void> take_edit(Edits& edits, const Packet& packet, std::size_t body_limit);

} // namespace ekiden::milter
