#include "smtp/dot_stream.hpp"

#include <algorithm>
#include <cstring>

namespace ekiden::smtp {

namespace {

// CRs that are held back between two pieces; a longer row of them is content.
constexpr std::size_t most_pending = 4096;

// Writes into room that was reserved beforehand.
class Writer {
public:
    Writer(std::string& out, std::size_t room) : out_(out), used_(out.size())
    {
        // Without zero-filling what is about to be overwritten.
        out_.resize_and_overwrite(used_ + room, [](char*, std::size_t size) { return size; });
    }
    ~Writer() { out_.resize(used_); }
    Writer(const Writer&) = delete;
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
// longer than the input plus the CRs that were held back from the piece before.
bool DotDecoder::decode(std::string_view& wire, std::string& out)
{
    Writer writer(out, wire.size() + pending_crs_ + 1);
    const char* at = wire.data();
    const char* const end = at + wire.size();
    const bool any_line_end = policy_ == BareNewline::accept;

    auto end_line = [&](bool is_crlf) {
        writer.put('\n');
        state_ = State::line_start;
        follows_crlf_ = is_crlf;
        if (!is_crlf) saw_bare_newline_ = true;
    };
    auto end_of_data = [&] {
        wire.remove_prefix(static_cast<std::size_t>(at - wire.data()));
        state_ = State::line_start;
        follows_crlf_ = true;
        return true;
    };

    while (at < end) {
        switch (state_) {
        case State::line_start:
            if (*at == '.') {
                ++at;
                state_ = State::dot;
                break;
            }
            state_ = State::in_line;
            [[fallthrough]];
        case State::in_line: {
            const char* line_feed = find_line_feed(at, end);
            const char* const text_end = without_crs(at, line_feed);
            writer.put(at, static_cast<std::size_t>(text_end - at));
            at = line_feed;
            if (line_feed == end) {
                pending_crs_ = static_cast<std::size_t>(end - text_end);
                if (pending_crs_ > 0) state_ = State::cr;
                break;
            }
            ++at;
            end_line(text_end != line_feed);
            break;
        }
        case State::cr:
            if (*at == '\n') {
                ++at;
                end_line(true);
            } else if (*at == '\r' && pending_crs_ < most_pending) {
                ++at;
                ++pending_crs_;
            } else {
                for (; pending_crs_ > 0; --pending_crs_) writer.put('\r');
                state_ = State::in_line;
            }
            break;
        case State::dot:
            // The dot itself is never content: it ends the data or was stuffed.
            if (*at == '\r') {
                ++at;
                state_ = State::dot_cr;
            } else if (*at == '\n') {
                ++at;
                saw_bare_newline_ = true;
                if (any_line_end) return end_of_data();
                end_line(false);
            } else {
                state_ = State::in_line;
            }
            break;
        case State::dot_cr:
            if (*at == '\n') {
                ++at;
                // A dot line that follows a bare LF is where one server's content is another one's next message.
                if (follows_crlf_ || any_line_end) return end_of_data();
                end_line(true);
            } else {
                writer.put('\r');
                state_ = State::in_line;
            }
            break;
        }
    }
    wire.remove_prefix(wire.size());
    return false;
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
    Writer writer(out, wire.size() + pending_crs_ + 1);
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
