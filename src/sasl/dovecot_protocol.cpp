#include "sasl/dovecot_protocol.hpp"

#include "base/text.hpp"
#include "sasl/cyrus_protocol.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace ekiden::sasl {
namespace {

constexpr std::size_t longest_mechanism = 64;      // RFC 4422 allows 20
constexpr std::size_t longest_user = 1024, longest_reason = 512, most_log_lines = 20;

struct Word {
    std::string_view name;
    Property property;
};
constexpr Word properties[] = {
    {"plaintext", plaintext},   {"active", active},                   {"dictionary", dictionary},
    {"anonymous", anonymous},   {"forward-secrecy", forward_secrecy}, {"mutual-auth", mutual_auth},
};

using Fields = std::vector<std::string_view>;
using Kind = DovecotLine::Kind;

std::unexpected<Error> nonsense(std::string_view what) { return fail(ErrorCode::protocol, std::string(what)); }

Result<DovecotLine> parse_version(const Fields& fields)
{
    DovecotLine line{.kind = Kind::version};
    const auto major = fields.size() > 1 ? base::parse_number<std::uint32_t>(fields[1]) : std::nullopt;
    if (!major) return nonsense("VERSION without a number");
    line.number = *major;
    return line;
}

Result<DovecotLine> parse_mechanism(const Fields& fields)
{
    DovecotLine line{.kind = Kind::mechanism};
    if (fields.size() < 2 || fields[1].empty() || fields[1].size() > longest_mechanism)
        return nonsense("MECH without a name");
    for (const char c : fields[1]) {
        // What will stand in the EHLO reply.
        if (!base::is_alnum(c) && c != '-' && c != '_') return nonsense("MECH with a name that is none");
        line.mechanism.name += base::to_upper(c);
    }
    for (std::size_t i = 2; i < fields.size(); ++i) {
        if (fields[i] == "private") line.mechanism.is_private = true;
        for (const Word& word : properties) {
            if (fields[i] == word.name) line.mechanism.properties |= word.property;
        }
    }
    return line;
}

Result<DovecotLine> parse_ready(const Fields&) { return DovecotLine{.kind = Kind::ready}; }

// The server repeats what a client called itself. A name beyond all measure costs nobody else his login: in a refusal it is
// cut, as it is for the log only, and a login of that name is one of nobody.
std::string read_user(std::string_view value, Kind kind)
{
    std::string user = unescape_field(value);
    const std::size_t usable = std::min(user.find('\0'), longest_user);
    if (user.size() > usable) user.resize(kind == Kind::success ? 0 : usable);
    return user;
}

Result<DovecotLine> parse_answer(const Fields& fields, Kind kind)
{
    DovecotLine line{.kind = kind};
    const auto id = fields.size() > 1 ? base::parse_number<std::uint32_t>(fields[1]) : std::nullopt;
    if (!id) return nonsense("an answer without a number");
    line.id = *id;
    std::size_t at = 2;
    if (kind == Kind::challenge) {
        // It goes to the client as it is.
        if (fields.size() > at && !looks_like_base64(fields[at])) return nonsense("CONT with what is no base64");
        if (fields.size() > at) line.text = fields[at];
        ++at;
    }
    for (; at < fields.size(); ++at) {
        const std::size_t equals = fields[at].find('=');
        const std::string_view name = fields[at].substr(0, equals);
        const std::string_view value = equals == fields[at].npos ? std::string_view() : fields[at].substr(equals + 1);
        if (name == "user") {
            line.user = read_user(value, kind);
        } else if (name == "reason" && kind == Kind::failure) {
            line.text = unescape_field(value.substr(0, longest_reason));
        } else if (name == "temp" || (name == "code" && value == "temp_fail")) {
            line.is_temporary = true;
        } else if (name == "log" && line.log.size() < most_log_lines) {
            line.log.push_back(unescape_field(value));
        }
    }
    return line;
}

Result<DovecotLine> parse_success(const Fields& fields) { return parse_answer(fields, Kind::success); }
Result<DovecotLine> parse_challenge(const Fields& fields) { return parse_answer(fields, Kind::challenge); }
Result<DovecotLine> parse_failure(const Fields& fields) { return parse_answer(fields, Kind::failure); }

struct Row {
    std::string_view name;
    Result<DovecotLine> (*parse)(const Fields&);
};
constexpr Row rows[] = {
    {"VERSION", parse_version}, {"MECH", parse_mechanism},    {"DONE", parse_ready},
    {"OK", parse_success},      {"CONT", parse_challenge},    {"FAIL", parse_failure},
};

}  // namespace

Result<DovecotLine> parse_dovecot_line(std::string_view line)
{
    const Fields fields = base::split(line, '\t');
    for (const Row& row : rows) {
        if (!fields.empty() && fields[0] == row.name) return row.parse(fields);
    }
    return DovecotLine{};
}

std::string format_dovecot_hello(std::uint32_t client_id)
{
    return fmt::format("VERSION\t1\t1\nCPID\t{}\n", client_id);
}

Secret format_dovecot_auth(const DovecotRequest& request, const Peer& peer)
{
    std::string head = fmt::format("AUTH\t{}\t{}\tservice={}\tnologin", request.id, escape_field(request.mechanism),
                                   escape_field(peer.service));
    auto add = [&head](std::string_view name, const net::Endpoint& end) {
        if (end.address.is_unspecified()) return;
        head += fmt::format("\t{0}ip={1}\t{0}port={2}", name, net::format_address(end.address), end.port);
    };
    add("l", peer.server);
    add("r", peer.client);
    if (peer.is_encrypted) head += "\tsecured";
    if (peer.has_client_certificate) head += "\tvalid-client-cert";
    if (request.with_realm) head += "\trealm=" + escape_field(peer.realm);
    if (!request.security_words.empty()) head += "\tsecprops=" + escape_field(request.security_words);
    Secret line;
    std::string& text = line.buffer();
    text.reserve(head.size() + (request.response ? request.response->size() : 0) + 8);
    text += head;
    if (request.response) {
        // Always last, and never escaped: it is base64, and where it is not, the server says so.
        text += "\tresp=";
        text += *request.response;
    }
    text += '\n';
    return line;
}

Secret format_dovecot_continue(std::uint32_t id, std::string_view response)
{
    Secret line;
    std::string& text = line.buffer();
    text.reserve(response.size() + 24);
    text += "CONT\t";
    text += std::to_string(id);
    text += '\t';
    text += response;
    text += '\n';
    return line;
}

Secret format_dovecot_cancel(std::uint32_t id) { return Secret(fmt::format("CANCEL\t{}\n", id)); }

bool looks_like_base64(std::string_view text)
{
    const std::size_t end = std::min(text.find('='), text.size());
    if (text.size() - end > 2 || text.find_first_not_of('=', end) != text.npos) return false;
    return std::ranges::all_of(text.substr(0, end), [](char c) { return base::is_alnum(c) || c == '+' || c == '/'; });
}

}  // namespace ekiden::sasl
