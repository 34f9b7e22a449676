#include "tools/postmap_message.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace ekiden::tools {

namespace {

constexpr std::size_t max_nesting = 100;          // as mime_nesting_limit
constexpr std::size_t max_header_bytes = 102400;  // as header_size_limit: what is longer is cut
constexpr std::size_t max_boundary_bytes = 2048;

std::string boundary_of(std::string_view header)
{
    const std::string lowered = base::lower(header);
    const std::size_t at = lowered.find("boundary=");
    if (at == lowered.npos) return {};
    std::string_view value = header.substr(at + 9);
    if (value.starts_with('"')) {
        value.remove_prefix(1);
        value = value.substr(0, value.find('"'));
    } else {
        value = value.substr(0, value.find_first_of("; \t\r\n"));
    }
    return std::string(value.substr(0, max_boundary_bytes));
}

}  // namespace

void MessageCutter::end_header()
{
    if (header_.empty()) return;
    const std::string header = std::exchange(header_, {});
    if (options_.with_headers) visit_(header);
    if (!options_.with_mime || !base::starts_with_ignoring_case(header, "content-type:")) return;
    const std::string_view type = base::trim(std::string_view(header).substr(13));
    is_multipart_ = base::starts_with_ignoring_case(type, "multipart/");
    is_message_ = base::starts_with_ignoring_case(type, "message/rfc822");
    boundary_ = is_multipart_ ? boundary_of(header) : std::string{};
}

void MessageCutter::end_headers()
{
    end_header();
    is_in_headers_ = false;
    if (!boundary_.empty() && boundaries_.size() < max_nesting) boundaries_.push_back(std::exchange(boundary_, {}));
    is_in_headers_ = std::exchange(is_message_, false);  // an attached message starts with headers again
}

void MessageCutter::body_line(std::string_view text)
{
    if (options_.with_body) visit_(std::string(text));
    if (!options_.with_mime || !text.starts_with("--")) return;
    for (std::size_t depth = boundaries_.size(); depth-- > 0;) {
        const std::string& boundary = boundaries_[depth];
        const std::string_view rest = text.substr(2);
        if (!rest.starts_with(boundary)) continue;
        const bool is_last = rest.substr(boundary.size()).starts_with("--");
        boundaries_.resize(is_last ? depth : depth + 1);
        is_in_headers_ = !is_last;
        return;
    }
}

void MessageCutter::line(std::string_view text)
{
    if (!is_in_headers_) return body_line(text);
    const bool is_continuation = !text.empty() && (text.front() == ' ' || text.front() == '\t') && !header_.empty();
    if (is_continuation) {
        if (header_.size() + text.size() < max_header_bytes) header_.append("\n").append(text);
        return;
    }
    end_header();
    const std::size_t name = text.find_first_of(": \t");
    if (name != text.npos && name > 0 && text.find(':') != text.npos) {
        header_ = text.substr(0, max_header_bytes);
        return;
    }
    end_headers();
    body_line(text);  // the empty line between headers and body belongs to the body
}

void MessageCutter::finish() { end_header(); }

}  // namespace ekiden::tools
