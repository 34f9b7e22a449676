// Bounded lines and raw chunks from a Stream, through one buffer, so that pipelined input is parsed without a system
// call per line. Views returned stay valid until the next call. One owner, the stream's core.
#pragma once

#include "net/stream.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ekiden::net {

class LineReader {
public:
    explicit LineReader(Stream& stream, std::size_t buffer_size = 4096) : stream_(&stream), initial_size_(buffer_size)
    {
    }

    struct Line {
        std::string_view text;     // without its CRLF or LF
        bool is_cut = false;       // it was longer than `limit`: the rest was thrown away up to the line end
        bool had_bare_lf = false;  // ended by LF alone
    };
    // The next line of at most `limit` bytes. ErrorCode::closed at the end of the stream (an unfinished line is lost).
    Task<Result<Line>> read_line(std::size_t limit);
    // A line that is in the buffer already, or nothing: is the client pipelining?
    bool has_buffered_line() const;

    // What is in the buffer, reading once from the stream if it is empty; consume() what was used.
    Task<Result<std::string_view>> read_chunk();
    void consume(std::size_t bytes);
    std::string_view buffered() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }

    // For who reads from the stream himself: room behind what is in the buffer, and how much of it was filled.
    std::span<char> space();
    void add(std::size_t bytes) { end_ += bytes; }

    void discard_buffered() { begin_ = end_ = 0; }    // after STARTTLS
    void use_stream(Stream& stream) { stream_ = &stream; }
    // Overwrites what was handed out (a password, perhaps) and leaves what is still to be read.
    void wipe_consumed();
    void wipe();                                      // everything, unread bytes too

    // Gives the buffer's memory back while the connection is idle.
    void shrink();

private:
    Task<Result<void>> fill();
    void grow();                                      // to twice the size; leaves no copy behind
    Stream* stream_;
    std::size_t initial_size_;
    std::string buffer_;
    std::size_t begin_ = 0, end_ = 0, scanned_ = 0;
};

}  // namespace ekiden::net
