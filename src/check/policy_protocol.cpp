#include "check/policy_protocol.hpp"

#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "config/values.hpp"

namespace ekiden::check {
namespace {

// Attribute values end at the line.
std::string line_value(std::string_view value)
{
    std::string out(value);
    for (char& c : out) {
        if (c == '\n' || c == '\r' || c == '\0') c = '?';
    }
    return out;
}

// RFC 3461 4: printable ASCII without "+" and "=" as it is, everything else as +XX.
std::string to_xtext(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 32 && byte < 127 && c != '+' && c != '=') out += c;
        else out += fmt::format("+{:02X}", byte);
    }
    return out;
}

Result<void> set_parameter(PolicyServer& server, std::string_view name, std::string_view value, std::string_view whole)
{
    auto wrong = [&] {
        return fail(ErrorCode::syntax, fmt::format("restriction check_policy_service: bad attribute \"{}\"", whole));
    };
    struct Time {
        std::string_view name;
        std::chrono::seconds PolicyServer::*member;
    };
    static constexpr Time times[] = {
        {"timeout", &PolicyServer::timeout},
        {"retry_delay", &PolicyServer::retry_delay},
        {"max_idle", &PolicyServer::max_idle},
        {"max_ttl", &PolicyServer::max_ttl},
    };
    struct Count {
        std::string_view name;
        int PolicyServer::*member;
        int least;
    };
    static constexpr Count counts[] = {{"try_limit", &PolicyServer::try_limit, 1},
                                       {"request_limit", &PolicyServer::request_limit, 0}};
    for (const Time& row : times) {
        if (row.name != name) continue;
        const auto time = config::parse_time(value);
        if (!time || time->count() < 1) return wrong();
        server.*row.member = *time;
        return {};
    }
    for (const Count& row : counts) {
        if (row.name != name) continue;
        const auto number = base::parse_number<int>(value);
        if (!number || *number < row.least) return wrong();
        server.*row.member = *number;
        return {};
    }
    if (name == "default_action") server.default_action = value;
    else if (name == "policy_context") server.policy_context = value;
    else return wrong();
    return {};
}

}  // namespace

Result<PolicyServer> parse_policy_server(std::string_view argument, const PolicyServer& defaults)
{
    PolicyServer server = defaults;
    argument = base::trim(argument);
    server.name = argument;
    std::vector<std::string_view> parts{argument};
    const bool is_group = argument.starts_with('{') && argument.ends_with('}') && argument.size() >= 2;
    if (is_group) parts = base::split_quoted_braces(argument.substr(1, argument.size() - 2), ", \t\r\n");
    if (parts.empty() || base::trim(parts.front()).empty())
        return fail(ErrorCode::syntax, "restriction check_policy_service must be followed by transport:server");
    server.endpoint = base::trim(parts.front());
    if (!server.endpoint.starts_with("inet:") && !server.endpoint.starts_with("unix:"))
        return fail(ErrorCode::syntax,
                    fmt::format("restriction check_policy_service: bad server \"{}\": need inet:host:port or unix:path",
                                server.endpoint));
    if (server.endpoint.size() == 5)
        return fail(
            ErrorCode::syntax,
            fmt::format("restriction check_policy_service: bad server \"{}\": no destination", server.endpoint));
    if (!is_group) return server;
    // "name = value" may have blanks around its "=": commas part the attributes where there are any.
    const std::string_view body = argument.substr(1, argument.size() - 2);
    const std::size_t first = body.find(parts.front()) + parts.front().size();
    for (std::string_view part : base::split_quoted_braces(body.substr(first), ",")) {
        part = base::trim(part);
        if (part.empty()) continue;
        if (part.starts_with('{') && part.ends_with('}')) part = base::trim(part.substr(1, part.size() - 2));
        const std::size_t equals = part.find('=');
        const std::string_view name = base::trim(part.substr(0, equals));
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view() : base::trim(part.substr(equals + 1));
        EKIDEN_TRY(set_parameter(server, name, value, part));
    }
    return server;
}

std::string format_policy_request(const Evaluation& evaluation, std::string_view policy_context)
{
    const Facts& facts = evaluation.facts;
    const Options& options = evaluation.options();
    std::string out;
    out.reserve(1024);
    auto add = [&](std::string_view name, std::string_view value) {
        out.append(name).append("=").append(line_value(value)).append("\n");
    };
    auto add_name = [&](std::string_view name, std::string_view value) {
        add(name, facts.is_ccert_verified ? to_xtext(value) : std::string());
    };
    const bool is_about_all = evaluation.stage == Stage::data || evaluation.stage == Stage::end_of_data;
    const std::string recipient = !is_about_all                  ? facts.recipient
                                  : facts.recipients.size() == 1 ? facts.recipients.front()
                                                                 : std::string();
    add("request", "smtpd_access_policy");
    add("protocol_state", verb_of(evaluation));
    add("protocol_name", facts.protocol);
    add("client_address", net::format_address(facts.client_address));
    add("client_name", facts.client_name);
    add("client_port", fmt::format("{}", facts.client_port));
    add("reverse_client_name", facts.reverse_client_name);
    add("server_address", net::format_address(facts.server_address));
    add("server_port", fmt::format("{}", facts.server_port));
    add("helo_name", facts.helo_name);
    add("sender", facts.sender);
    add("recipient", recipient);
    add("recipient_count", fmt::format("{}", is_about_all ? facts.recipient_count : 0));
    add("queue_id", facts.queue_id);
    add("instance", facts.instance);
    add("size", fmt::format("{}", facts.message_size));
    add("etrn_domain", facts.etrn_domain);
    add("stress", options.stress);
    add("sasl_method", facts.sasl_method);
    add("sasl_username", facts.sasl_username);
    add("sasl_sender", facts.sasl_sender);
    add_name("ccert_subject", facts.ccert_subject);
    add_name("ccert_issuer", facts.ccert_issuer);
    add("ccert_fingerprint", facts.ccert_fingerprint);
    add("ccert_pubkey_fingerprint", facts.ccert_pubkey_fingerprint);
    add("encryption_protocol", facts.tls_protocol);
    add("encryption_cipher", facts.tls_cipher);
    add("encryption_keysize", fmt::format("{}", facts.tls_cipher_bits));
    add("policy_context", policy_context);
    add("compatibility_level", options.compatibility_level);
    add("mail_version", options.mail_version);
    out += "\n";
    return out;
}

Result<bool> PolicyReply::feed(std::string_view line, bool is_cut)
{
    if (is_cut || line.size() > longest_line) return fail(ErrorCode::protocol, "reply line too long");
    if (++lines_ > most_lines) return fail(ErrorCode::protocol, "too many lines in reply");
    if (line.empty()) {
        if (!has_action_) return fail(ErrorCode::protocol, "no action in reply");
        return true;
    }
    if (has_action_ || !line.starts_with("action=")) return false;
    has_action_ = true;
    action_ = base::trim(line.substr(7));
    for (char& c : action_) {
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
    }
    return false;
}

}  // namespace ekiden::check
