#include "tools/sendmail_input.hpp"

#include "mime/addresses.hpp"
#include "mime/header_block.hpp"

#include <algorithm>
#include <array>

namespace ekiden::tools {

using mime::FieldName;

namespace {

constexpr std::array<std::string_view, 2> mailbox_lines = {"From ", ">From "};
constexpr std::size_t field_limit = 16 << 20;         // bytes; a mailing list with all its members in Bcc
constexpr std::size_t token_limit = 4'000'000;

// At most as many as are held back, so that the result does not depend on how the input was cut into pieces.
std::size_t trailing_crs(std::string_view text)
{
    std::size_t count = 0;
    while (count < std::min(text.size(), InputFilter::held_back) && text[text.size() - 1 - count] == '\r') ++count;
    return count;
}

}  // namespace

LineEnds parse_line_ends(std::string_view value)
{
    return value == "never" ? LineEnds::never : value == "strict" ? LineEnds::strict : LineEnds::always;
}

void InputFilter::feed(std::string_view bytes, std::string& out)
{
    while (!bytes.empty() && !has_ended_) {
        const auto line_feed = bytes.find('\n');
        const auto take = std::min(line_feed, bytes.size());
        line_.append(bytes.substr(0, take));
        bytes.remove_prefix(std::min(take + 1, bytes.size()));
        if (line_feed != std::string_view::npos) {
            end_line(out, true);
        } else if (line_.size() > 2 * held_back) {
            // A long line goes out in parts; CRs at the end may belong to its line end.
            give(out, line_.size() - trailing_crs(line_));
        }
    }
}

// The first bytes of a line decide about it, so they are judged when the first of it goes out.
void InputFilter::give(std::string& out, std::size_t count)
{
    if (!is_line_begun_) {
        is_line_begun_ = true;
        is_dropped_ = is_at_top_ && std::ranges::any_of(mailbox_lines, [&](std::string_view start) {
                          return line_.starts_with(start);
                      });
        if (!is_dropped_) is_at_top_ = false;
    }
    if (!is_dropped_) out.append(line_, 0, count);
    line_.erase(0, count);
}

void InputFilter::end_line(std::string& out, bool has_end)
{
    if (is_first_line_) {
        is_first_line_ = false;
        strips_cr_ = line_ends_ == LineEnds::always || (line_ends_ == LineEnds::strict && line_.ends_with('\r'));
    }
    if (strips_cr_ && has_end) line_.resize(line_.size() - trailing_crs(line_));
    if (dot_ends_ && !is_line_begun_ && line_ == ".") {
        has_ended_ = true;
        line_.clear();
        return;
    }
    give(out, line_.size());
    if (!is_dropped_) out += '\n';
    is_line_begun_ = is_dropped_ = false;
}

void InputFilter::finish(std::string& out)
{
    if (has_ended_) return;
    if (is_line_begun_ || !line_.empty()) end_line(out, false);
    has_ended_ = true;
}

std::vector<std::string> header_recipients(std::string_view header)
{
    mime::HeaderBlock block(field_limit);
    block.feed(header);
    block.finish();
    std::vector<std::string> plain, resent;
    bool is_resent_mail = false;
    for (const mime::Field& field : block.fields()) {
        std::vector<std::string>* into = nullptr;
        switch (field.known) {
        case FieldName::to: case FieldName::cc: case FieldName::bcc: into = &plain; break;
        case FieldName::resent_to: case FieldName::resent_cc: case FieldName::resent_bcc: into = &resent; break;
        default: break;
        }
        is_resent_mail = is_resent_mail || mime::is_resent(field.known);
        if (into == nullptr) continue;
        auto found = mime::parse_address_list(field.body(), token_limit);
        std::ranges::move(found, std::back_inserter(*into));
    }
    return is_resent_mail ? resent : plain;
}

}  // namespace ekiden::tools
