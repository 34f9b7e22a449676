// A command line → verb and words, as tolerant as Postfix: leading blanks are skipped, any white space separates, and
// <…>, "…" and […] keep a word together (RFC 5321 4.1.1, and what clients really send). Pure; all results are views
// into the line.
#pragma once

#include <cstdint>
#include <string_view>

namespace ekiden::smtp {

struct Command {
    std::string_view verb;        // first word as it was sent; empty for a blank line
    std::string_view arguments;   // what follows it, without white space at the ends
    std::string_view line;        // verb and arguments
};
Command parse_command(std::string_view line);

// Takes the next word off `text`; empty at the end. An unclosed <, " or [ reaches to the end of the line.
std::string_view next_word(std::string_view& text);
// The number of words, at most `limit` (so that a hostile line costs nothing).
std::size_t count_words(std::string_view text, std::size_t limit = 8);

// "Subject: x", "FROM:<x>": the other side speaks message content, or another protocol, to us.
bool looks_like_header(std::string_view line);

// "BDAT 123 LAST" arguments (RFC 3030).
struct ChunkHeader {
    std::uint64_t size = 0;
    bool is_last = false;
};
bool parse_chunk_header(std::string_view arguments, ChunkHeader& out);

}  // namespace ekiden::smtp
