#include "smtp/reply.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace ekiden::smtp {

namespace {

// Texts may quote what a client said; a line end inside would forge a reply of its own.
void append_clean(std::string& out, std::string_view text)
{
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == '\r' || byte == '\n') out += ' ';
        else if ((byte < 32 && byte != '\t') || byte == 127) out += '?';
        else out += c;
    }
}

void append_line(std::string& out, const Reply& reply, std::string_view text, bool is_last)
{
    const char head[4] = {static_cast<char>('0' + reply.code / 100 % 10), static_cast<char>('0' + reply.code / 10 % 10),
                          static_cast<char>('0' + reply.code % 10), is_last ? ' ' : '-'};
    out.append(head, 4);
    if (!reply.enhanced.empty()) {
        out += reply.enhanced;
        out += ' ';
    }
    append_clean(out, text);
}

void append_lines(std::string& out, const Reply& reply, std::string_view line_end, std::string_view between)
{
    static const std::vector<std::string> no_text{std::string()};
    const auto& lines = reply.lines.empty() ? no_text : reply.lines;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i > 0) out += between;
        append_line(out, reply, lines[i], i + 1 == lines.size());
        out += line_end;
    }
}

}  // namespace

void append(std::string& out, const Reply& reply) { append_lines(out, reply, "\r\n", ""); }

std::string format(const Reply& reply)
{
    std::string out;
    append(out, reply);
    return out;
}

std::string one_line(const Reply& reply)
{
    if (!reply.wire.empty()) return reply.wire;
    std::string out;
    append_lines(out, reply, "", " ");
    return std::string(base::trim_right(out));
}

void ReplyParser::remember(std::string_view line)
{
    line = line.substr(0, line.find('\0'));   // as Postfix shows it
    if (line.empty() || reply_.wire.size() >= max_reply_line) return;
    if (!reply_.wire.empty()) reply_.wire += ' ';
    append_clean(reply_.wire, line.substr(0, max_reply_line - std::min(max_reply_line, reply_.wire.size())));
}

Result<bool> ReplyParser::feed(std::string_view line)
{
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    remember(line);
    const bool has_code = line.size() >= 3 && base::is_digit(line[0]) && base::is_digit(line[1]) &&
                          base::is_digit(line[2]) && (line.size() == 3 || line[3] == ' ' || line[3] == '-');
    if (!has_code) {
        if (++stray_lines_ == 1) stray_ = base::printable(line.substr(0, 100));
        if (stray_lines_ > max_stray_lines)
            return fail(ErrorCode::protocol, "not an SMTP reply: " + base::printable(line.substr(0, 100)));
        return false;
    }
    const bool is_last = line.size() == 3 || line[3] == ' ';
    // Lines of one reply must agree (RFC 5321 4.2.1); the last one is the one that counts.
    reply_.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    std::string_view text = line.substr(std::min<std::size_t>(line.size(), 4)).substr(0, max_reply_line);

    reply_.enhanced.clear();
    if (const auto length = mail::enhanced_code_length(text); length > 0 && text[0] == line[0]) {
        reply_.enhanced = text.substr(0, length);
        text.remove_prefix(length);
        if (text.starts_with(' ')) text.remove_prefix(1);
    }
    if (reply_.lines.size() < max_reply_lines) reply_.lines.emplace_back(text);
    else if (++lines_dropped_ > max_dropped_lines) return fail(ErrorCode::protocol, "SMTP reply without end");
    if (is_last) reply_.wire.resize(base::trim_right(reply_.wire).size());
    return is_last;
}

Reply ReplyParser::take()
{
    lines_dropped_ = stray_lines_ = 0;
    return std::exchange(reply_, Reply());
}

}  // namespace ekiden::smtp
