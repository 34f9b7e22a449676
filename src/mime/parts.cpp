#include "mime/parts.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ekiden::mime {

namespace {

constexpr std::size_t given_at_once = 64 << 10;   // bytes of a header before its fields are handed on

}  // namespace

void PartReader::note_field(const Field& field)
{
    // The first of its kind counts; a second one is somebody's attempt to be read differently by two systems.
    if (field.known == FieldName::content_type && content_type_.type == MediaType::leaf) {
        content_type_ = parse_content_type(field.after_colon(), options_.boundary_limit);
        entity_.type = content_type_.type;
    } else if (field.known == FieldName::content_transfer_encoding && entity_.encoding_word.empty()) {
        entity_.encoding = parse_encoding(field.after_colon(), &entity_.encoding_word);
    }
}

void PartReader::end_noted_header(Sink& sink) { start_body(sink); }

void PartReader::open_header(HeaderKind kind)
{
    header_.emplace(options_.field_limit, false);
    kind_ = kind;
    entity_ = {};
    content_type_ = {};
    if (kind == HeaderKind::part && !boundaries_.empty() && boundaries_.back().is_digest)
        entity_.type = MediaType::message;
}

void PartReader::give_fields(Sink& sink)
{
    for (const auto& field : header_->fields()) {
        note_field(field);
        sink.on_field(kind_, field.raw);
    }
    header_->clear_fields();
}

void PartReader::close_header(Sink& sink)
{
    give_fields(sink);
    const std::string leftover(header_->leftover());
    const bool has_blank = header_->has_blank_line();
    header_.reset();
    sink.on_header_end(kind_, entity_, has_blank ? "\n" : "");
    at_line_start_ = true;
    start_body(sink);
    if (!leftover.empty()) feed(leftover, sink);
}

// What the header that was read announces.
void PartReader::start_body(Sink& sink)
{
    if (!options_.follows_structure) return;
    if (entity_.type == MediaType::message) {
        open_header(HeaderKind::nested);
    } else if (!content_type_.boundary.empty()) {
        if (is_too_deep(sink)) return;
        boundaries_.push_back({std::move(content_type_.boundary), content_type_.type == MediaType::digest});
        content_type_ = {};
    }
}

bool PartReader::is_too_deep(Sink& sink)
{
    // Postfix counts from the message itself, and looks before it goes down.
    if (boundaries_.size() < options_.nesting_limit + 2) return false;
    if (!has_reported_nesting_) sink.on_nesting_limit();
    has_reported_nesting_ = true;
    return true;
}

void PartReader::feed(std::string_view content, Sink& sink)
{
    while (!content.empty()) {
        if (!header_) {
            feed_body(content, sink);
            return;
        }
        // A boundary inside a header ends it like any line that is no field: it comes back as leftover.
        const std::size_t newline = std::min(content.find('\n'), content.size() - 1);
        content.remove_prefix(header_->feed(content.substr(0, newline + 1)));
        if (header_->is_complete()) close_header(sink);
        else if (header_->size() > given_at_once) give_fields(sink);
    }
}

// Bulk passes through untouched; only lines that begin with "--" are looked at.
void PartReader::feed_body(std::string_view content, Sink& sink)
{
    while (!content.empty()) {
        if (header_) {
            feed(content, sink);
            return;
        }
        if (is_in_boundary_) {
            const std::size_t newline = std::min(content.find('\n'), content.size() - 1);
            sink.on_body(entity_, content.substr(0, newline + 1), true);
            end_boundary(content[newline] == '\n');
            content.remove_prefix(newline + 1);
            continue;
        }
        if (boundaries_.empty()) {
            sink.on_body(entity_, content, false);
            at_line_start_ = content.back() == '\n';
            return;
        }
        if (!line_.empty() || (at_line_start_ && content.front() == '-')) {
            const std::size_t newline = content.find('\n');
            const std::size_t end = newline == content.npos ? content.size() : newline + 1;
            line_ += content.substr(0, end);
            content.remove_prefix(end);
            const bool may_be_boundary = line_.starts_with(std::string_view("--").substr(0, line_.size()));
            if (newline == content.npos && may_be_boundary && line_.size() < options_.boundary_limit + 8) {
                if (content.empty() && line_.back() != '\n') return;   // more may come
            }
            end_line(std::exchange(line_, {}), sink);
            continue;
        }
        // To the next line that could be one.
        std::size_t end = content.size();
        if (const void* found = ::memmem(content.data(), content.size(), "\n-", 2))
            end = static_cast<std::size_t>(static_cast<const char*>(found) - content.data()) + 1;
        sink.on_body(entity_, content.substr(0, end), false);
        at_line_start_ = content[end - 1] == '\n';
        content.remove_prefix(end);
    }
}

std::optional<std::size_t> PartReader::find_boundary(std::string_view line) const
{
    if (!line.starts_with("--")) return std::nullopt;
    line.remove_prefix(2);
    for (std::size_t i = boundaries_.size(); i-- > 0;)
        if (line.starts_with(boundaries_[i].boundary)) return i;
    return std::nullopt;
}

// `line` begins at the start of a line; it may lack its end when it is too long to be a boundary alone.
void PartReader::end_line(std::string_view line, Sink& sink)
{
    at_line_start_ = line.ends_with('\n');
    const auto found = find_boundary(line);
    if (!found) {
        sink.on_body(entity_, line, false);
        return;
    }
    const bool is_last = line.substr(2 + boundaries_[*found].boundary.size()).starts_with("--");
    entity_ = {.type = MediaType::multipart};
    sink.on_body(entity_, line, true);
    boundaries_.resize(*found + (is_last ? 0 : 1));
    is_in_boundary_ = true;
    opens_part_ = !is_last;
    end_boundary(at_line_start_);
}

void PartReader::end_boundary(bool has_newline)
{
    if (!has_newline) return;
    is_in_boundary_ = false;
    at_line_start_ = true;
    if (opens_part_) open_header(HeaderKind::part);
}

void PartReader::finish(Sink& sink)
{
    while (header_) {
        header_->finish();
        close_header(sink);
    }
    if (!line_.empty()) end_line(std::exchange(line_, {}), sink);
    while (header_) {
        header_->finish();
        close_header(sink);
    }
}

}  // namespace ekiden::mime
