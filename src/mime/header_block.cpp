#include "mime/header_block.hpp"

#include <algorithm>
#include <cstring>

namespace ekiden::mime {
namespace {

// A name longer than this (blanks and colon included) does not start a field: no line without a colon is gathered for ever.
constexpr std::size_t longest_name = 1000;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// The separator line of mbox files, which careless senders leave in front of the header.
bool is_mailbox_line(std::string_view line)
{
    const auto text = line.substr(std::min(line.find_first_not_of('>'), line.size()));
    return text.starts_with("From ");
}

constexpr std::string_view mailbox_line_name = "X-Mailbox-Line: ";

}  // namespace

std::size_t HeaderBlock::feed(std::string_view chunk)
{
    std::size_t taken = 0;
    while (!is_complete_ && taken < chunk.size()) {
        const auto* newline = static_cast<const char*>(std::memchr(chunk.data() + taken, '\n', chunk.size() - taken));
        const std::size_t end = newline ? static_cast<std::size_t>(newline - chunk.data()) + 1 : chunk.size();
        text_.append(chunk.data() + taken, end - taken);
        taken = end;
        if (newline) end_line();
        else look_at_partial_line();
    }
    return taken;
}

void HeaderBlock::finish()
{
    if (is_complete_) return;
    if (line_at_ < text_.size()) {
        text_ += '\n';
        end_line();
    }
    if (!is_complete_) complete(false);
}

void HeaderBlock::end_line()
{
    const auto line = std::string_view(text_).substr(line_at_);
    if (!is_header_line_) {
        if (line.size() == 1) {
            complete(true);
            return;
        }
        const bool is_mailbox = is_first_line_ && is_mailbox_line(line);
        if (is_mailbox) text_.insert(line_at_, mailbox_line_name);
        if (open_at_ != text_.npos && is_blank(line.front())) {
            // continuation
        } else if (is_mailbox || starts_field(line)) {
            close_field();
            open_at_ = line_at_;
        } else {
            complete(false);
            return;
        }
    }
    clip();
    if (text_.back() != '\n') text_ += '\n';
    line_at_ = text_.size();
    is_header_line_ = false;
    is_first_line_ = false;
}

// Decides as early as possible what an unfinished line is, so that neither a line without an end nor a body without
// line breaks is gathered in memory.
void HeaderBlock::look_at_partial_line()
{
    if (!is_header_line_) {
        const auto line = std::string_view(text_).substr(line_at_);
        if (line.size() < longest_name) return;
        if (open_at_ != text_.npos && is_blank(line.front())) {
            // continuation
        } else if (starts_field(line)) {
            close_field();
            open_at_ = line_at_;
        } else if (is_first_line_ && is_mailbox_line(line)) {
            text_.insert(line_at_, mailbox_line_name);
            open_at_ = line_at_;
        } else {
            complete(false);
            return;
        }
        is_header_line_ = true;
    }
    clip();
}

// A name that would not survive the limit does not start a field.
bool HeaderBlock::starts_field(std::string_view line) const
{
    const auto start = field_start(line);
    return start.name_length > 0 && start.body_at <= std::min(longest_name, field_limit_);
}

// What is too long ends with the last line that fits: half an address would be another address.
void HeaderBlock::clip()
{
    if (!is_clipped_ && text_.size() - open_at_ <= field_limit_) return;
    is_clipped_ = true;
    text_.resize(line_at_ > open_at_ ? line_at_ : std::min(text_.size(), open_at_ + field_limit_));
}

void HeaderBlock::close_field()
{
    is_clipped_ = false;
    if (open_at_ == text_.npos) return;
    if (mends_) {
        const auto start = field_start(std::string_view(text_).substr(open_at_, line_at_ - open_at_));
        if (start.name_length > 0 && start.body_at > start.name_length + 1) {
            const std::size_t blanks = start.body_at - start.name_length - 1;
            text_.erase(open_at_ + start.name_length, blanks);
            line_at_ -= blanks;
        }
    }
    spans_.push_back({open_at_, line_at_});
    open_at_ = text_.npos;
}

void HeaderBlock::complete(bool has_blank_line)
{
    close_field();
    is_complete_ = true;
    has_blank_line_ = has_blank_line;
    if (has_blank_line) text_.resize(line_at_);
}

std::vector<Field> HeaderBlock::fields() const
{
    std::vector<Field> fields;
    fields.reserve(spans_.size());
    for (const auto& span : spans_)
        fields.push_back(make_field(std::string_view(text_).substr(span.begin, span.end - span.begin)));
    return fields;
}

void HeaderBlock::clear_fields()
{
    if (spans_.empty()) return;
    const std::size_t done = spans_.back().end;
    text_.erase(0, done);
    spans_.clear();
    line_at_ -= done;
    if (open_at_ != text_.npos) open_at_ -= done;
}

}  // namespace ekiden::mime
