#include "table/remote_replies.hpp"

#include "base/text.hpp"

#include <array>
#include <charconv>

namespace ekiden::table {

namespace {

std::optional<int> hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return std::nullopt;
}

std::optional<std::string> decode(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        const auto first = hex_digit(text[i + 1]), second = hex_digit(text[i + 2]);
        if (!first || !second) return std::nullopt;
        out += static_cast<char>(*first * 16 + *second);
        i += 2;
    }
    return out;
}

struct SocketmapWord {
    std::string_view word, trouble;
};
constexpr std::array socketmap_words{
    SocketmapWord{"TEMP", "temporary"}, SocketmapWord{"TIMEOUT", "timeout"}, SocketmapWord{"PERM", "permanent"},
};

}  // namespace

std::string tcp_query(std::string_view key)
{
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out = "get ";
    for (const char c : key) {
        if (c > ' ' && c < 127 && c != '%') {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out + "\n";
}

Answer parse_tcp_reply(std::string_view line)
{
    const auto malformed = [&] {
        return fail(ErrorCode::protocol, "malformed reply: " + std::string(line.substr(0, 100)));
    };
    if (line.size() < 4 || line.size() > max_tcp_reply || (line[3] != ' ' && line[3] != '\t')) return malformed();
    const auto text = decode(base::trim(line.substr(4)));
    if (!text) return malformed();
    const std::string_view code = line.substr(0, 3);
    if (code == "200") return *text;
    if (code == "500") return std::nullopt;
    if (code == "400") return fail(ErrorCode::unavailable, "server error: " + *text);
    return malformed();
}

std::string socketmap_query(std::string_view name, std::string_view key)
{
    const std::string text = std::string(name) + " " + std::string(key);
    return std::to_string(text.size()) + ":" + text + ",";
}

Answer parse_socketmap_reply(std::string_view reply)
{
    const std::size_t space = reply.find(' ');
    if (space == reply.npos) return fail(ErrorCode::protocol, "unexpected reply: " + std::string(reply.substr(0, 100)));
    const std::string_view word = reply.substr(0, space), text = reply.substr(space + 1);
    if (word == "OK") return std::string(text);
    if (word == "NOTFOUND") return std::nullopt;
    for (const auto& row : socketmap_words)
        if (row.word == word)
            return fail(ErrorCode::unavailable,
                        "socketmap server " + std::string(row.trouble) + " error: " + std::string(text));
    return fail(ErrorCode::protocol, "socketmap server unknown error: " + std::string(text.substr(0, 100)));
}

Result<std::optional<std::string_view>> parse_netstring(std::string_view bytes)
{
    const std::size_t colon = bytes.find(':');
    const std::string_view digits = bytes.substr(0, colon);
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (!digits.empty() && (error != std::errc() || end != digits.data() + digits.size()))
        return fail(ErrorCode::protocol,
                    error == std::errc::result_out_of_range ? "input exceeds size limit" : "input format error");
    if (length > max_socketmap_reply) return fail(ErrorCode::too_long, "input exceeds size limit");
    if (colon == bytes.npos) {
        if (digits.size() > 10) return fail(ErrorCode::too_long, "input exceeds size limit");
        return std::optional<std::string_view>();
    }
    if (digits.empty()) return fail(ErrorCode::protocol, "input format error");
    if (bytes.size() - colon - 1 < length + 1) return std::optional<std::string_view>();
    if (bytes[colon + 1 + length] != ',') return fail(ErrorCode::protocol, "input format error");
    return std::optional(bytes.substr(colon + 1, length));
}

}  // namespace ekiden::table
