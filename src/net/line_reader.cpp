#include "net/line_reader.hpp"

#include <cstring>

namespace ekiden::net {

namespace {
// Bulk content may make the buffer grow up to here, so that a large message costs few system calls.
constexpr std::size_t largest_chunk = 65536;
}  // namespace

Task<Result<LineReader::Line>> LineReader::read_line(std::size_t limit)
{
    bool is_cut = false;
    std::size_t kept = 0;   // bytes of a cut line that stay at begin_
    scanned_ = begin_;
    for (;;) {
        const char* from = buffer_.data() + scanned_;
        const void* found = scanned_ < end_ ? std::memchr(from, '\n', end_ - scanned_) : nullptr;
        if (found) {
            const std::size_t at = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
            Line line;
            line.had_bare_lf = at == begin_ || buffer_[at - 1] != '\r';
            std::size_t length = at - begin_;
            if (!line.had_bare_lf) --length;
            if (is_cut) length = kept;
            if (length > limit) {
                length = limit;
                is_cut = true;
            }
            line.text = std::string_view(buffer_).substr(begin_, length);
            line.is_cut = is_cut;
            begin_ = at + 1;
            co_return line;
        }
        // A line of exactly `limit` bytes may still be followed by CR.
        if (end_ - begin_ > limit + 1) {
            is_cut = true;
            kept = limit;
        }
        if (is_cut) {
            // Nothing past the kept part matters but the end of the line; a final CR must be seen with its LF.
            const bool ends_in_cr = buffer_[end_ - 1] == '\r';
            end_ = begin_ + kept;
            if (ends_in_cr) {
                if (end_ == buffer_.size()) buffer_.push_back('\r');
                else buffer_[end_] = '\r';
                ++end_;
            }
        }
        const std::size_t offset = end_ - begin_;
        EKIDEN_CO_TRY(co_await fill());
        scanned_ = begin_ + offset;
    }
}

bool LineReader::has_buffered_line() const
{
    return begin_ < end_ && std::memchr(buffer_.data() + begin_, '\n', end_ - begin_) != nullptr;
}

Task<Result<std::string_view>> LineReader::read_chunk()
{
    if (begin_ == end_) {
        // The last read filled the buffer: there is more where it came from.
        if (end_ > 0 && end_ == buffer_.size() && buffer_.size() < largest_chunk) grow();
        EKIDEN_CO_TRY(co_await fill());
    }
    co_return buffered();
}

void LineReader::consume(std::size_t bytes) { begin_ += std::min(bytes, end_ - begin_); }

void LineReader::shrink()
{
    if (begin_ != end_) return;
    begin_ = end_ = 0;
    buffer_ = std::string();
}

void LineReader::wipe_consumed()
{
    ::explicit_bzero(buffer_.data(), begin_);
    ::explicit_bzero(buffer_.data() + end_, buffer_.size() - end_);
}

void LineReader::wipe()
{
    ::explicit_bzero(buffer_.data(), buffer_.size());
    begin_ = end_ = 0;
}

void LineReader::grow()
{
    std::string larger(buffer_.size() * 2, '\0');
    std::memcpy(larger.data(), buffer_.data(), end_);
    ::explicit_bzero(buffer_.data(), buffer_.size());
    buffer_ = std::move(larger);
}

std::span<char> LineReader::space()
{
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.empty()) buffer_.resize(std::max<std::size_t>(64, initial_size_));
    if (end_ == buffer_.size()) {
        if (begin_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        } else {
            grow();   // bounded: read_line() cuts a line that outgrows its limit
        }
    }
    return std::span(buffer_).subspan(end_);
}

Task<Result<void>> LineReader::fill()
{
    EKIDEN_CO_TRY_VALUE(count, co_await stream_->read_some(space()));
    add(count);
    co_return Result<void>{};
}

}  // namespace ekiden::net
