#include "deliver/helper/copy.hpp"

#include <cerrno>
#include <utility>

namespace ekiden::deliver {

namespace {

constexpr std::size_t buffer_size = 128 << 10;
constexpr std::string_view from = "From ";

}  // namespace

bool Copy::run()
{
    buffer_.reserve(buffer_size);
    if (!put(request_.prefix)) return false;
    if (!content_) {
        if (!body(request_.content)) return false;
    } else {
        std::string piece(64 << 10, '\0');
        for (off_t at = 0;;) {
            auto n = base::read_at(content_.get(), piece, at);
            if (!n) {
                error_ = n.error().os_error() ? n.error().os_error() : EIO;
                return false;
            }
            if (*n == 0) break;
            if (!body(std::string_view(piece).substr(0, *n))) return false;
            at += static_cast<off_t>(*n);
        }
    }
    if (!release()) return false;
    // A last line without its end would swallow the suffix, and with it the next message of an mbox file.
    if (!request_.suffix.empty() && !has_line_end_ && !put(request_.line_end.empty() ? "\n" : request_.line_end))
        return false;
    return put(request_.suffix) && flush();
}

// Lines are looked at one by one only where something in them must change.
bool Copy::body(std::string_view text)
{
    bool has_own_line_end = !request_.line_end.empty() && request_.line_end != "\n";
    if (!text.empty()) has_line_end_ = text.ends_with('\n');
    if (!request_.quotes_from && !request_.quotes_dots && !has_own_line_end) return put(text);
    while (!text.empty()) {
        if (is_line_start_) {
            if (!start_of_line(text)) return false;
            continue;
        }
        std::size_t end = text.find('\n');
        bool is_whole = end != text.npos;
        std::size_t length = is_whole ? end : text.size();
        if (!put(text.substr(0, length))) return false;
        if (is_whole && !put(has_own_line_end ? std::string_view(request_.line_end) : "\n")) return false;
        is_line_start_ = is_whole;
        text.remove_prefix(is_whole ? length + 1 : length);
    }
    return true;
}

// The first bytes of a line may be split over two pieces: what has matched of "From " is held back until it is decided.
bool Copy::start_of_line(std::string_view& text)
{
    if (request_.quotes_from && text.front() == from[held_]) {
        text.remove_prefix(1);
        if (++held_ < from.size()) return true;
        held_ = 0;
        is_line_start_ = false;
        return put(">From ");
    }
    if (request_.quotes_dots && held_ == 0 && text.front() == '.' && !put(".")) return false;
    is_line_start_ = false;   // what follows is an ordinary line, perhaps an empty one
    return release();
}

bool Copy::release()
{
    return put(from.substr(0, std::exchange(held_, 0)));
}

bool Copy::put(std::string_view text)
{
    if (buffer_.size() + text.size() > buffer_size && !flush()) return false;
    if (text.size() < buffer_size) {
        buffer_.append(text);
        return true;
    }
    auto written = base::write_all(out_, text);
    if (!written) error_ = written.error().os_error() ? written.error().os_error() : EIO;
    return written.has_value();
}

bool Copy::flush()
{
    auto written = base::write_all(out_, buffer_);
    if (!written) error_ = written.error().os_error() ? written.error().os_error() : EIO;
    buffer_.clear();
    return written.has_value();
}

}  // namespace ekiden::deliver
