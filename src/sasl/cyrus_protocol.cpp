#include "sasl/cyrus_protocol.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::sasl {
namespace {

constexpr std::string_view major_version = "1";
constexpr std::size_t longest_name = 256;    // of a mechanism: libsasl2 refuses anything over 20 itself, and says so
constexpr std::size_t longest_field = 1024;

struct Flag {
    Property property;
    std::string_view word;
};
constexpr Flag flags[] = {
    {plaintext, "plaintext"},   {dictionary, "dictionary"},           {active, "active"},
    {anonymous, "anonymous"},   {forward_secrecy, "forward-secrecy"}, {mutual_auth, "mutual-auth"},
};

// One field of a line at a time, without a copy: a line may hold a password.
class Fields {
public:
    explicit Fields(std::string_view line) : line_(line), rest_(line), is_done_(false) {}
    std::optional<std::string_view> next()
    {
        if (is_done_) return std::nullopt;
        const std::size_t tab = rest_.find('\t');
        const std::string_view field = rest_.substr(0, tab);
        is_done_ = tab == rest_.npos;
        rest_ = is_done_ ? std::string_view() : rest_.substr(tab + 1);
        return field;
    }
    // All that stands behind the field that was read last, tabs included.
    std::string_view rest() const { return rest_; }
    // `part`, which lies in the line, and all that follows it.
    std::string_view to_the_end(std::string_view part) const
    {
        return line_.substr(static_cast<std::size_t>(part.data() - line_.data()));
    }

private:
    std::string_view line_, rest_;
    bool is_done_;
};

Result<std::uint32_t> parse_id(Fields& fields)
{
    auto id = base::parse_number<std::uint32_t>(fields.next().value_or(""));
    if (!id) return fail(ErrorCode::protocol, "a request without a number");
    return *id;
}

// libsasl2 takes "address;port". Neither half may say more than that.
std::string address_and_port(std::string_view address, std::string_view port)
{
    if (address.empty() || address.find_first_not_of("0123456789abcdefABCDEF.:") != address.npos) return {};
    return fmt::format("{};{}", address, base::parse_number<std::uint16_t>(port).value_or(0));
}

Result<CyrusRequest> parse_auth(Fields& fields)
{
    AuthRequest request;
    EKIDEN_TRY_VALUE(id, parse_id(fields));
    request.id = id;
    // What the remote client sent: a strange name is the library's to refuse, and no reason to end other people's logins.
    request.mechanism = unescape_field(fields.next().value_or("").substr(0, longest_name));
    std::string_view local_address, local_port, remote_address, remote_port;
    while (auto field = fields.next()) {
        const std::size_t equals = field->find('=');
        const std::string_view name = field->substr(0, equals);
        const std::string_view value = field->substr(std::min(field->size(), name.size() + 1));
        if (name == "resp") {
            // Always the last field: a tab behind it is the remote client's, and no base64.
            request.response.emplace(fields.to_the_end(value));
            break;
        }
        if (value.size() > longest_field) return fail(ErrorCode::protocol, "AUTH with a field that is too long");
        if (name == "service") request.service = unescape_field(value);
        else if (name == "realm") request.realm = unescape_field(value);
        else if (name == "lip") local_address = value;
        else if (name == "lport") local_port = value;
        else if (name == "rip") remote_address = value;
        else if (name == "rport") remote_port = value;
        else if (name == "secprops") {
            auto security = parse_security_options(value);
            if (!security) return fail(ErrorCode::protocol, "AUTH with a security property that is not known");
            request.security = *security;
        }
    }
    request.local = address_and_port(local_address, local_port);
    request.remote = address_and_port(remote_address, remote_port);
    return request;
}

Result<CyrusRequest> parse_continue(Fields& fields)
{
    EKIDEN_TRY_VALUE(id, parse_id(fields));
    return ContinueRequest{id, Secret(fields.rest())};
}

Result<CyrusRequest> parse_cancel(Fields& fields)
{
    EKIDEN_TRY_VALUE(id, parse_id(fields));
    return CancelRequest{id};
}

Result<CyrusRequest> parse_version(Fields& fields)
{
    return HelloRequest{fields.next().value_or("") == major_version};
}

Result<CyrusRequest> parse_pid(Fields&)
{
    return HelloRequest{};
}

struct Command {
    std::string_view name;
    Result<CyrusRequest> (*parse)(Fields&);
};
constexpr Command commands[] = {
    {"AUTH", parse_auth}, {"CONT", parse_continue}, {"CANCEL", parse_cancel}, {"VERSION", parse_version}, {"CPID", parse_pid},
};

}  // namespace

Result<CyrusRequest> parse_cyrus_request(std::string_view line)
{
    Fields fields(line);
    const std::string_view name = *fields.next();
    for (const Command& command : commands) {
        if (command.name == name) return command.parse(fields);
    }
    return UnknownRequest{};
}

std::string escape_field(std::string_view text)
{
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        switch (c) {
        case '\0': escaped += "\0010"; break;
        case '\001': escaped += "\0011"; break;
        case '\t': escaped += "\001t"; break;
        case '\r': escaped += "\001r"; break;
        case '\n': escaped += "\001n"; break;
        default: escaped += c;
        }
    }
    return escaped;
}

std::string unescape_field(std::string_view text)
{
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\001' || i + 1 == text.size()) {
            plain += text[i];
            continue;
        }
        switch (text[++i]) {
        case '0': plain += '\0'; break;
        case '1': plain += '\001'; break;
        case 't': plain += '\t'; break;
        case 'r': plain += '\r'; break;
        case 'n': plain += '\n'; break;
        default: plain += text[i];
        }
    }
    return plain;
}

std::string format_cyrus_reply(std::uint32_t id, const CyrusReply& reply)
{
    using Kind = CyrusReply::Kind;
    std::string line = fmt::format("{}\t{}",
                                   reply.kind == Kind::success     ? "OK"
                                   : reply.kind == Kind::challenge ? "CONT"
                                                                   : "FAIL",
                                   id);
    // In CONT the protocol has a place for the challenge, and only after it one for more.
    if (reply.kind == Kind::challenge) line += "\t" + reply.text;
    for (const std::string& said : reply.log) line += "\tlog=" + escape_field(said);
    if (!reply.user.empty()) line += "\tuser=" + escape_field(reply.user);
    if (reply.kind == Kind::failure || reply.kind == Kind::try_later) line += "\treason=" + escape_field(reply.text);
    if (reply.kind == Kind::try_later) line += "\ttemp";
    return line + "\n";
}

std::string format_cyrus_greeting(const std::vector<Mechanism>& mechanisms, int pid, std::uint32_t connection,
                                  std::string_view cookie)
{
    std::string text = fmt::format("VERSION\t{}\t1\n", major_version);
    for (const Mechanism& mechanism : mechanisms) {
        text += "MECH\t" + mechanism.name;
        for (const Flag& flag : flags) {
            if (mechanism.properties & flag.property) (text += '\t') += flag.word;
        }
        text += '\n';
    }
    return text + fmt::format("SPID\t{}\nCUID\t{}\nCOOKIE\t{}\nDONE\n", pid, connection, cookie);
}

}  // namespace ekiden::sasl
