// What a program pipes into sendmail becomes message content: LF line ends, no mailbox "From " lines in front, ended by a
// lone dot unless that is not wanted; and the recipients that its header names (sendmail -t). Pure, works on any pieces
// of the input; one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

// sendmail_fix_line_endings: CR LF becomes LF always, only when the first line ends so, or never.
enum class LineEnds : std::uint8_t { always, strict, never };
LineEnds parse_line_ends(std::string_view value);

class InputFilter {
public:
    InputFilter(LineEnds line_ends, bool dot_ends) : line_ends_(line_ends), dot_ends_(dot_ends) {}
    // Appends content to `out`. What comes behind a lone dot is dropped.
    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);             // the input has ended; a last line without an end gets one
    bool has_ended() const { return has_ended_; }

    static constexpr std::size_t held_back = 8;   // what must be seen of a line to know what it is; bytes

private:
    void end_line(std::string& out, bool has_end);
    void give(std::string& out, std::size_t count);

    LineEnds line_ends_;
    bool dot_ends_;
    std::string line_;                 // bytes of the line that are not given out yet
    bool is_line_begun_ = false;       // some of it was
    bool is_dropped_ = false;          // this line is a mailbox line
    bool is_at_top_ = true;            // only such lines so far
    bool is_first_line_ = true;
    bool strips_cr_ = false;
    bool has_ended_ = false;
};

// The addresses in To, Cc and Bcc, or when there are any in the Resent- fields, those of Resent-To, Resent-Cc and
// Resent-Bcc (RFC 5322 3.6.6); internal form, as often as they stand there. `header` may be followed by the body.
std::vector<std::string> header_recipients(std::string_view header);

}  // namespace ekiden::tools
