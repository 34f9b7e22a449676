#include "smtp/dot_stream.hpp"

#include <algorithm>
#include <cstring>

namespace ekiden::smtp {

namespace detail {

// Writes into room that was reserved beforehand.
class RoomWriter {
public:
    RoomWriter(std::string& out, std::size_t room) : out_(out), used_(out.size())
    {
        // Without zero-filling what is about to be overwritten.
        out_.resize_and_overwrite(used_ + room, [](char*, std::size_t size) { return size; });
    }
    ~RoomWriter() { out_.resize(used_); }
    RoomWriter(const RoomWriter&) = delete;
    void put(char c) { out_[used_++] = c; }
    void put(const char* begin, std::size_t size)
    {
        std::memcpy(out_.data() + used_, begin, size);
        used_ += size;
    }

private:
    std::string& out_;
    std::size_t used_;
};

}  // namespace detail

namespace {

using detail::RoomWriter;

// CRs that are held back between two pieces; a longer row of them is content.
constexpr std::size_t most_pending = 4096;

// `end` moved before the CRs that stand there, but not before `begin`.
const char* without_crs(const char* begin, const char* end)
{
    while (end > begin && end[-1] == '\r') --end;
    return end;
}

const char* find_line_feed(const char* begin, const char* end)
{
    const void* found = std::memchr(begin, '\n', static_cast<std::size_t>(end - begin));
    return found ? static_cast<const char*>(found) : end;
}

}  // namespace

// Decoding is most of what the server does per byte: whole lines are found with memchr and copied once. Output is never
// longer than the input plus the CRs that were held back from the piece before. All of it is one loop in one function,
// with the writer in registers: the parts are inlined.
bool DotDecoder::decode(std::string_view& wire, std::string& out)
{
    RoomWriter writer(out, wire.size() + pending_crs_ + 1);
    const char* at = wire.data();
    const char* const end = at + wire.size();
    while (at < end) {
        Step step = Step::looks_again;
        switch (state_) {
        case State::line_start:
            if (*at == '.') {
                state_ = State::dot;
                step = Step::takes;
                break;
            }
            state_ = State::in_line;
            [[fallthrough]];
        case State::in_line: at = take_text(at, end, writer); break;
        case State::cr: step = take_after_crs(*at, writer); break;
        case State::dot:
        case State::dot_cr: step = take_after_dot(*at, writer); break;
        }
        if (step != Step::looks_again) ++at;
        if (step == Step::ends_data) {
            wire.remove_prefix(static_cast<std::size_t>(at - wire.data()));
            return true;
        }
    }
    wire.remove_prefix(wire.size());
    return false;
}

[[gnu::always_inline]] inline void DotDecoder::end_line(RoomWriter& writer, bool is_crlf)
{
    writer.put('\n');
    state_ = State::line_start;
    follows_crlf_ = is_crlf;
    if (!is_crlf) saw_bare_newline_ = true;
}

// The rest of a line, or as much of it as there is.
[[gnu::always_inline]] inline const char* DotDecoder::take_text(const char* at, const char* end, RoomWriter& writer)
{
    const char* const line_feed = find_line_feed(at, end);
    const char* const text_end = without_crs(at, line_feed);
    writer.put(at, static_cast<std::size_t>(text_end - at));
    if (line_feed == end) {
        pending_crs_ = static_cast<std::size_t>(end - text_end);
        if (pending_crs_ > 0) state_ = State::cr;
        return end;
    }
    end_line(writer, text_end != line_feed);
    return line_feed + 1;
}

[[gnu::always_inline]] inline DotDecoder::Step DotDecoder::take_after_crs(char next, RoomWriter& writer)
{
    if (next == '\n') {
        end_line(writer, true);
        return Step::takes;
    }
    if (next == '\r' && pending_crs_ < most_pending) {
        ++pending_crs_;
        return Step::takes;
    }
    for (; pending_crs_ > 0; --pending_crs_) writer.put('\r');
    state_ = State::in_line;
    return Step::looks_again;
}

// The dot itself is never content: it ends the data or was stuffed.
[[gnu::always_inline]] inline DotDecoder::Step DotDecoder::take_after_dot(char next, RoomWriter& writer)
{
    const bool is_after_cr = state_ == State::dot_cr;
    if (next == '\r' && !is_after_cr) {
        state_ = State::dot_cr;
        return Step::takes;
    }
    if (next != '\n') {
        if (is_after_cr) writer.put('\r');
        state_ = State::in_line;
        return Step::looks_again;
    }
    // A dot line that follows a bare LF is where one server's content is another one's next message.
    const bool ends_data = policy_ == BareNewline::accept || (is_after_cr && follows_crlf_);
    if (!ends_data) {
        end_line(writer, is_after_cr);
        return Step::takes;
    }
    if (!is_after_cr) saw_bare_newline_ = true;
    state_ = State::line_start;
    follows_crlf_ = true;
    return Step::ends_data;
}

void DotEncoder::encode(std::string_view content, std::string& out)
{
    out.reserve(out.size() + content.size() + content.size() / 16 + 16);
    while (!content.empty()) {
        if (form_ == Form::dots && at_line_start_ && content.front() == '.') {
            out += '.';
            column_ = 1;
        }
        const auto line_feed = std::min(content.find('\n'), content.size());
        std::string_view piece = content.substr(0, line_feed);
        while (line_limit_ > 0 && column_ + piece.size() > line_limit_) {
            const auto part = line_limit_ - std::min(column_, line_limit_);   // above 0 at least after each break
            out += piece.substr(0, part);
            out += "\r\n ";
            piece.remove_prefix(part);
            column_ = 1;
            broke_lines_ = true;
        }
        out += piece;
        if (line_feed == content.size()) {
            column_ += piece.size();
            at_line_start_ = false;
            return;
        }
        out += "\r\n";
        at_line_start_ = true;
        column_ = 0;
        content.remove_prefix(line_feed + 1);
    }
}

void DotEncoder::finish(std::string& out)
{
    if (!at_line_start_) out += "\r\n";
    if (form_ == Form::dots) out += ".\r\n";
    at_line_start_ = true;
    column_ = 0;
}

void ChunkDecoder::decode(std::string_view wire, std::string& out)
{
    if (wire.empty()) return;
    RoomWriter writer(out, wire.size() + pending_crs_ + 1);
    const char* at = wire.data();
    const char* const end = at + wire.size();
    if (pending_crs_ > 0) {
        while (at < end && *at == '\r' && pending_crs_ < most_pending) {
            ++at;
            ++pending_crs_;
        }
        if (at == end) return;
        if (*at == '\n') {
            writer.put('\n');
            at_line_start_ = true;
            ++at;
        } else {
            for (std::size_t i = 0; i < pending_crs_; ++i) writer.put('\r');
            at_line_start_ = false;
        }
        pending_crs_ = 0;
    }
    while (at < end) {
        const char* line_feed = find_line_feed(at, end);
        const char* const text_end = without_crs(at, line_feed);
        writer.put(at, static_cast<std::size_t>(text_end - at));
        if (line_feed == end) {
            pending_crs_ = static_cast<std::size_t>(end - text_end);
            if (text_end > at) at_line_start_ = false;
            return;
        }
        if (text_end == line_feed) saw_bare_newline_ = true;
        writer.put('\n');
        at_line_start_ = true;
        at = line_feed + 1;
    }
}

void ChunkDecoder::finish(std::string& out)
{
    if (!at_line_start_ || pending_crs_ > 0) out += '\n';
    pending_crs_ = 0;
    at_line_start_ = true;
}

}  // namespace ekiden::smtp
