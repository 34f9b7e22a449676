// An SMTP reply: three digits, perhaps an enhanced code, one or more lines of text (RFC 5321 4.2, RFC 2034).
//
// The server formats replies, the client parses them; both bounds are here: a parsed reply keeps at most
// `max_reply_lines` lines of `max_reply_line` bytes, longer ones are cut, endless ones are a protocol error. Lines that are no
// part of a reply are passed over, as Postfix does: there are servers that say something before they answer. Pure.
#pragma once

#include "base/result.hpp"
#include "mail/status.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::smtp {

inline constexpr std::size_t max_reply_line = 2048;
inline constexpr std::size_t max_reply_lines = 128;

struct Reply {
    int code = 0;                      // 250
    std::string enhanced;              // "2.1.0", or empty; in a parsed reply the last line's, as `code` is
    std::vector<std::string>
        lines;         // text without code and enhanced code, one entry a line; never empty in a parsed reply
    std::string wire;  // of a parsed reply: all that was said, stray lines too, joined with a space and cut

    Reply() = default;
    // A constructor, not an aggregate: aggregates in co_await expressions are a compiler trap (see docs/decisions).
    Reply(int c, std::string e, std::string text) : code(c), enhanced(std::move(e))
    {
        lines.push_back(std::move(text));
    }
    Reply(int c, std::string text) : code(c) { lines.push_back(std::move(text)); }

    bool is_positive() const { return code >= 200 && code < 300; }
    bool is_intermediate() const { return code >= 300 && code < 400; }
    bool is_temporary() const { return code >= 400 && code < 500; }
    bool is_permanent() const { return code >= 500; }
};

// Wire form with CRLFs: "250 2.1.0 Ok\r\n"; multi-line with "250-". CR, LF and control bytes in texts become spaces/'?'.
std::string format(const Reply& reply);
void append(std::string& out, const Reply& reply);
// All in one line as Postfix logs it: "550 5.1.1 No such user here"; several lines keep their heads and are joined with
// a space: "550-5.7.1 First line 550 5.7.1 last line". What was parsed is given as it came.
std::string one_line(const Reply& reply);

// Feeds the lines of a peer's reply one after another.
class ReplyParser {
public:
    // One line without its CRLF. True when the reply is complete. A reply that does not end, or does not begin for
    // `max_stray_lines` lines, is a protocol error.
    Result<bool> feed(std::string_view line);
    Reply take();   // after feed() returned true; the parser is ready for the next reply
    // The first line before this reply, or within it, that was no part of one; told once.
    std::optional<std::string> take_stray() { return std::exchange(stray_, std::nullopt); }

private:
    static constexpr std::size_t max_dropped_lines = 10'000;   // past max_reply_lines: swallowed, then it is an attack
    static constexpr std::size_t max_stray_lines = 1000;
    void remember(std::string_view line);
    Reply reply_;
    std::size_t lines_dropped_ = 0, stray_lines_ = 0;
    std::optional<std::string> stray_;
};

}  // namespace ekiden::smtp
