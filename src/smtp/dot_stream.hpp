// Message content between the wire and storage (RFC 5321 4.5.2), both directions, and the one place for the bare CR/LF
// policy. Stored content has LF line ends and no dot stuffing. Pure; works on any chunking of the input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ekiden::smtp {

namespace detail {
class RoomWriter;
}

// smtpd_forbid_bare_newline (Postfix 3.9): normalize is Ekiden's default. With it only <CR><LF>.<CR><LF> ends DATA and
// a bare LF counts as a line end; `reject`/`note` additionally tell the caller through saw_bare_newline().
enum class BareNewline : std::uint8_t { accept, normalize, reject, note };

// DATA bytes → content.
class DotDecoder {
public:
    explicit DotDecoder(BareNewline policy) : policy_(policy) {}
    // Consumes from `wire` (advancing it) until the end-of-data or the end of the input, appends content to `out`.
    // True when the end-of-data sequence was consumed; the rest of `wire` is the next command.
    // The first line of input counts as the start of a line after CRLF. CRs within a line are kept as they are; however
    // many stand before its LF, they are its end. Still ".<CR><CR><LF>" ends nothing.
    bool decode(std::string_view& wire, std::string& out);
    bool saw_bare_newline() const { return saw_bare_newline_; }

private:
    enum class State : std::uint8_t { line_start, in_line, dot, dot_cr, cr };
    enum class Step : std::uint8_t { takes, looks_again, ends_data };
    // Where the next one goes on.
    const char* take_text(const char* at, const char* end, detail::RoomWriter& writer);
    // What they do with the next byte.
    Step take_after_crs(char next, detail::RoomWriter& writer);
    Step take_after_dot(char next, detail::RoomWriter& writer);
    void end_line(detail::RoomWriter& writer, bool is_crlf);

    BareNewline policy_;
    State state_ = State::line_start;
    std::size_t pending_crs_ = 0; // at the end of the last piece, in state cr: content only if the line goes on
    bool follows_crlf_ = true;    // the line that is being read began after a CRLF (or the start)
    bool saw_bare_newline_ = false;
};

// Content → DATA bytes: CRLF line ends, leading dots doubled; finish() gives the final ".\r\n" (and a CRLF before it
// when the content does not end a line). Lines longer than `line_limit` (smtp_line_length_limit, 0 = none) are broken
// with CRLF SPACE as Postfix's client does. For BDAT, `plain`: the same without dots.
class DotEncoder {
public:
    enum class Form : std::uint8_t { dots, plain };
    explicit DotEncoder(std::size_t line_limit = 0, Form form = Form::dots)
        : line_limit_(line_limit == 1 ? 2 : line_limit), form_(form)
    {
    }
    void encode(std::string_view content, std::string& out);
    void finish(std::string& out);
    bool broke_lines() const { return broke_lines_; }

private:
    std::size_t line_limit_;
    Form form_;
    std::size_t column_ = 0;
    bool at_line_start_ = true;
    bool broke_lines_ = false;
};

// BDAT bytes → content: CRLF becomes LF across chunk borders; no dots (RFC 3030). A bare LF is a line end.
class ChunkDecoder {
public:
    void decode(std::string_view wire, std::string& out);
    bool saw_bare_newline() const { return saw_bare_newline_; }
    void finish(std::string& out);   // drops pending CRs, and ends the last line if it has no end

private:
    std::size_t pending_crs_ = 0;
    bool at_line_start_ = true;
    bool saw_bare_newline_ = false;
};

}  // namespace ekiden::smtp
