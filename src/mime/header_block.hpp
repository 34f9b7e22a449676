// The header of a message as it streams in: lines are gathered until the header ends, then read as fields.
//
// A header ends at an empty line, or before the first line that is neither a field nor its continuation (that line is
// the first of the body). A field longer than the limit loses what is over it, as header_size_limit documents. What is
// held is bounded by the fields not yet taken and one line; a caller that streams takes them with clear_fields().
// One owner.
#pragma once

#include "mime/header.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::mime {

class HeaderBlock {
public:
    // `mends`: a "From " line in front becomes a field, and blanks in front of a colon go ("To : x").
    explicit HeaderBlock(std::size_t field_limit = 102400, bool mends = true)
        : field_limit_(field_limit), mends_(mends), is_first_line_(mends)
    {
    }

    // Takes bytes up to the end of the header; how many. The rest of `chunk` belongs to the body, behind leftover().
    std::size_t feed(std::string_view chunk);
    // No more content comes: what is open is closed.
    void finish();

    bool is_complete() const { return is_complete_; }
    bool has_blank_line() const { return has_blank_line_; }   // how it ended; meaningful when complete
    // Body bytes that had to be read to see that they are not header.
    std::string_view leftover() const
    {
        return is_complete_ ? std::string_view(text_).substr(line_at_) : std::string_view();
    }

    // Closed fields in order; views are good until the next call that is not const.
    std::vector<Field> fields() const;
    void clear_fields();
    std::size_t size() const { return text_.size(); }

private:
    struct Span {
        std::size_t begin, end;
    };
    void end_line();
    void look_at_partial_line();
    bool starts_field(std::string_view line) const;
    void clip();
    void close_field();
    void complete(bool has_blank_line);

    std::size_t field_limit_;
    bool mends_;
    std::string text_;
    std::vector<Span> spans_;
    std::size_t line_at_ = 0;                        // where the line being gathered begins
    std::size_t open_at_ = std::string::npos;        // where the open field begins
    bool is_header_line_ = false;                    // the partial line is known to be header
    bool is_clipped_ = false;                        // the open field has reached the limit
    bool is_first_line_;                             // and a mailbox line may stand in it
    bool is_complete_ = false, has_blank_line_ = false;
};

}  // namespace ekiden::mime
