#include "net/proxy_protocol.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace ekiden::net {

namespace {

constexpr std::string_view line_start = "PROXY ";
constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t fixed_part = 16;                 // signature, version and command, family, length
constexpr std::size_t shortest_line = 32;              // "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"
constexpr std::size_t shown_bytes = 512;

// As in C, so that a binary header can stand in a log line.
std::string escaped(std::string_view bytes)
{
    std::string result;
    for (const char c : bytes.substr(0, shown_bytes)) {
        static constexpr std::string_view controls = "\a\b\f\n\r\t\v\\", letters = "abfnrtv\\";
        const auto at = controls.find(c);
        if (at != controls.npos) {
            result += '\\';
            result += letters[at];
        } else if (c >= ' ' && c < 127) result += c;
        else result += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    }
    return result;
}

std::unexpected<Error> bad(std::string_view what, std::string_view header)
{
    return fail(ErrorCode::protocol, fmt::format("{}: {}", what, escaped(header)));
}

unsigned byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }
std::uint16_t number_at(std::string_view text, std::size_t at)
{
    return static_cast<std::uint16_t>(byte_at(text, at) << 8 | byte_at(text, at + 1));
}

bool begins_like(std::string_view text, std::string_view start)
{
    const auto length = std::min(text.size(), start.size());
    return text.substr(0, length) == start.substr(0, length);
}

// ---- version 1

std::optional<Address> address_in(std::string_view word, bool is_v6)
{
    // Only the bare forms: no brackets, no scope.
    if (word.find_first_not_of("0123456789abcdefABCDEF:.") != word.npos || (word.find(':') != word.npos) != is_v6)
        return std::nullopt;
    return parse_address(word);
}

std::optional<std::uint16_t> port_in(std::string_view word)
{
    if (word.size() > 1 && word.front() == '0') return std::nullopt;
    return base::parse_number<std::uint16_t>(word);
}

Result<ProxyHeader> parse_line(std::string_view header)
{
    auto words = base::split_any(header, " \r\n");
    words.resize(std::max<std::size_t>(words.size(), 6));
    const bool is_v6 = words[1] == "TCP6";
    if (!is_v6 && words[1] != "TCP4") return bad("bad or missing protocol type", header);
    const auto client = address_in(words[2], is_v6), server = address_in(words[3], is_v6);
    if (!client) return bad("bad or missing client address", header);
    if (!server) return bad("bad or missing server address", header);
    const auto client_port = port_in(words[4]), server_port = port_in(words[5]);
    if (!client_port) return bad("bad or missing client port", header);
    if (!server_port) return bad("bad or missing server port", header);
    return ProxyHeader{.client = {*client, *client_port}, .server = {*server, *server_port}};
}

// ---- version 2

Address plain(const boost::asio::ip::address_v6& address)
{
    if (address.is_v4_mapped()) return make_address_v4(boost::asio::ip::v4_mapped, address);
    return address;
}

Result<ProxyHeader> parse_binary(std::string_view header)
{
    const unsigned command = byte_at(header, 12) & 15, family = byte_at(header, 13);
    if (command == 0) return ProxyHeader{.is_local = true};
    if (command != 1) return bad("bad command in proxy header", header);
    const std::string_view body = header.substr(fixed_part);
    ProxyHeader result;
    if (family == 0x11) {
        if (body.size() < 12) return bad("short address field", header);
        std::array<unsigned char, 4> bytes;
        for (Endpoint* end : {&result.client, &result.server}) {
            std::copy_n(body.begin() + (end == &result.client ? 0 : 4), 4, bytes.begin());
            *end = {boost::asio::ip::address_v4(bytes), number_at(body, end == &result.client ? 8 : 10)};
        }
    } else if (family == 0x21) {
        if (body.size() < 36) return bad("short address field", header);
        std::array<unsigned char, 16> bytes;
        for (Endpoint* end : {&result.client, &result.server}) {
            std::copy_n(body.begin() + (end == &result.client ? 0 : 16), 16, bytes.begin());
            *end = {plain(boost::asio::ip::address_v6(bytes)), number_at(body, end == &result.client ? 32 : 34)};
        }
    } else {
        return bad("unsupported network protocol", header);
    }
    return result;
}

}  // namespace

Result<std::size_t> proxy_bytes_wanted(std::string_view so_far)
{
    if (so_far.size() >= line_start.size() && so_far.starts_with(line_start)) {
        if (so_far.ends_with('\n')) return 0;
        if (so_far.size() >= longest_proxy_line || so_far.find('\n') != so_far.npos)
            return bad("missing protocol header terminator", so_far);
        // Another protocol than TCP is no header for us, but its line is read to the end and shown.
        static constexpr std::string_view longer_start = "PROXY TCP";
        if (so_far.size() < longer_start.size() && begins_like(so_far, longer_start))
            return longer_start.size() - so_far.size();
        return so_far.size() < shortest_line && so_far.starts_with(longer_start) ? shortest_line - so_far.size() : 1;
    }
    if (begins_like(so_far, line_start)) return line_start.size() - so_far.size();
    if (!begins_like(so_far, signature))
        return bad(so_far.size() < fixed_part ? "short protocol header" : "unrecognized protocol header", so_far);
    if (so_far.size() < fixed_part) return fixed_part - so_far.size();
    if (byte_at(so_far, 12) >> 4 != 2) return bad("unrecognized protocol version", so_far);
    const std::size_t whole = fixed_part + number_at(so_far, 14);
    if (whole > longest_proxy_header) return bad("too long version 2 protocol header", so_far);
    return whole - std::min(whole, so_far.size());
}

Result<ProxyHeader> parse_proxy_header(std::string_view header)
{
    EKIDEN_TRY_VALUE(wanted, proxy_bytes_wanted(header));
    if (wanted > 0)
        return bad(header.starts_with(line_start) ? "missing protocol header terminator" : "short protocol header",
                   header);
    return header.starts_with(line_start) ? parse_line(header) : parse_binary(header);
}

namespace {

// The connection ends here: what came along goes into the log, and is not left unread, or the reply would be lost with it.
Task<Error> explained(Stream& stream, std::string header, Error why)
{
    if (header.size() >= shown_bytes || !stream.has_unread_bytes()) co_return why;
    const std::size_t have = header.size();
    header.resize(shown_bytes);
    const auto got = co_await stream.read_some(std::span(header).subspan(have));
    header.resize(have + (got ? *got : 0));
    auto again = parse_proxy_header(header);
    co_return again ? std::move(why) : std::move(again).error();
}

}  // namespace

Task<Result<ProxyHeader>> read_proxy_header(Stream& stream)
{
    std::string header;
    for (;;) {
        auto wanted = proxy_bytes_wanted(header);
        if (!wanted) co_return fail(co_await explained(stream, std::move(header), std::move(wanted).error()));
        if (*wanted == 0) co_return parse_proxy_header(header);
        const std::size_t have = header.size();
        header.resize(have + *wanted);
        const auto got = co_await stream.read_some(std::span(header).subspan(have));
        header.resize(have + (got ? *got : 0));
        if (got) continue;
        const ErrorCode code = got.error().code();
        if (code == ErrorCode::timeout) co_return fail(code, "timeout error");
        if (code != ErrorCode::closed) co_return fail(code, got.error().text());
        if (header.empty()) co_return fail(code, "EOF");
        co_return parse_proxy_header(header);
    }
}

}  // namespace ekiden::net
