// The policy delegation protocol (SMTPD_POLICY_README): name=value lines, an empty line, and one "action=…" back.
// Answers are bounded; whatever goes wrong ends in the configured default action, which defers.
#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "net/connect.hpp"
#include "net/line_reader.hpp"

namespace ekiden::check {
namespace {

constexpr std::size_t longest_line = 4096;
constexpr int most_lines = 100;

std::optional<std::chrono::seconds> parse_time(std::string_view text)
{
    if (text.empty()) return std::nullopt;
    int unit = 1;
    switch (text.back()) {
        case 's': text.remove_suffix(1); break;
        case 'm': unit = 60; text.remove_suffix(1); break;
        case 'h': unit = 3600; text.remove_suffix(1); break;
        case 'd': unit = 86400; text.remove_suffix(1); break;
        default: break;
    }
    const auto number = base::parse_number<int>(text);
    if (!number || *number < 0 || *number > 1'000'000) return std::nullopt;
    return std::chrono::seconds(static_cast<std::int64_t>(*number) * unit);
}

// Attribute values end at the line.
std::string line_value(std::string_view value)
{
    std::string out(value);
    for (char& c : out) {
        if (c == '\n' || c == '\r' || c == '\0') c = '?';
    }
    return out;
}

}  // namespace

Result<PolicyServer> parse_policy_server(std::string_view argument, const PolicyServer& defaults)
{
    PolicyServer server = defaults;
    argument = base::trim(argument);
    std::vector<std::string_view> parts{argument};
    if (argument.starts_with('{') && argument.ends_with('}')) parts = base::split_quoted_braces(argument.substr(1, argument.size() - 2), ",");
    if (parts.empty() || base::trim(parts.front()).empty()) return fail(ErrorCode::syntax, "restriction check_policy_service must be followed by transport:server");
    server.endpoint = base::trim(parts.front());
    if (!server.endpoint.starts_with("inet:") && !server.endpoint.starts_with("unix:"))
        return fail(ErrorCode::syntax, fmt::format("restriction check_policy_service: bad server \"{}\": need inet:host:port or unix:path", server.endpoint));
    for (std::size_t i = 1; i < parts.size(); ++i) {
        std::string_view part = base::trim(parts[i]);
        if (part.starts_with('{') && part.ends_with('}')) part = base::trim(part.substr(1, part.size() - 2));
        const std::size_t equals = part.find('=');
        const std::string_view name = base::trim(part.substr(0, equals));
        const std::string_view value = equals == std::string_view::npos ? std::string_view() : base::trim(part.substr(equals + 1));
        auto wrong = [&] { return fail(ErrorCode::syntax, fmt::format("restriction check_policy_service: bad attribute \"{}\"", part)); };
        if (name == "timeout" || name == "retry_delay") {
            const auto time = parse_time(value);
            if (!time) return wrong();
            (name == "timeout" ? server.timeout : server.retry_delay) = *time;
        } else if (name == "try_limit") {
            const auto number = base::parse_number<int>(value);
            if (!number || *number < 1) return wrong();
            server.try_limit = *number;
        } else if (name == "default_action") {
            server.default_action = value;
        } else if (name == "policy_context") {
            server.policy_context = value;
        } else if (name != "max_idle" && name != "max_ttl" && name != "request_limit") {
            return wrong();   // those three are about kept connections; ours are made per request
        }
    }
    return server;
}

std::string format_policy_request(const Evaluation& evaluation, std::string_view policy_context)
{
    const Facts& facts = evaluation.facts;
    std::string out;
    auto add = [&](std::string_view name, std::string_view value) { out.append(name).append("=").append(line_value(value)).append("\n"); };
    const bool is_about_all = evaluation.stage == Stage::data || evaluation.stage == Stage::end_of_data;
    const std::string recipient = !is_about_all ? facts.recipient : facts.recipients.size() == 1 ? facts.recipients.front() : std::string();
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
    add("stress", "");
    add("sasl_method", facts.sasl_method);
    add("sasl_username", facts.sasl_username);
    add("sasl_sender", facts.sasl_sender);
    add("ccert_subject", "");
    add("ccert_issuer", "");
    add("ccert_fingerprint", "");
    add("ccert_pubkey_fingerprint", "");
    add("encryption_protocol", "");
    add("encryption_cipher", "");
    add("encryption_keysize", "0");
    add("policy_context", policy_context);
    out += "\n";
    return out;
}

namespace {

// "127.0.0.1:2599" as it stands in warnings.
std::string_view destination(const PolicyServer& server) { return std::string_view(server.endpoint).substr(5); }

Task<Result<net::StreamPtr>> open_connection(Evaluation& evaluation, const PolicyServer& server)
{
    const Policy::Data& data = evaluation.data;
    std::string where(destination(server));
    if (server.endpoint.starts_with("unix:")) {
        if (!where.starts_with('/')) where = data.settings->str("queue_directory") + "/" + where;
        co_return co_await net::connect_unix(std::move(where), server.timeout);
    }
    const auto split = net::split_host_port(where);
    if (!split) co_return fail(ErrorCode::syntax, "bad address");
    const auto port = net::find_port(split->port, data.settings->str("known_tcp_ports"));
    if (!port) co_return fail(ErrorCode::not_found, "unknown port");
    std::vector<net::Address> addresses;
    if (const auto literal = net::parse_address(split->host)) {
        addresses.push_back(*literal);
    } else {
        for (const dns::Type type : {dns::Type::a, dns::Type::aaaa}) {
            const auto answer = co_await data.dns->query(split->host, type);
            if (!answer) continue;
            for (const auto& record : answer->records) addresses.push_back(record.address);
        }
    }
    Result<net::StreamPtr> last = fail(ErrorCode::not_found, "host not found");
    for (const net::Address& address : addresses) {
        net::ConnectOptions options;
        options.time_limit = server.timeout;
        last = co_await net::connect_tcp(net::Endpoint{address, *port}, options);
        if (last) break;
    }
    co_return last;
}

Task<Result<std::string>> ask(Evaluation& evaluation, const PolicyServer& server, const std::string& request)
{
    auto stream = co_await open_connection(evaluation, server);
    if (!stream) {
        evaluation.data.logger.warning("connect to {}: {}", destination(server), stream.error().text());
        co_return std::unexpected(std::move(stream).error());
    }
    (*stream)->set_time_limit(server.timeout);
    EKIDEN_CO_TRY(co_await (*stream)->write(std::string_view(request)));
    net::LineReader reader(**stream);
    std::optional<std::string> action;
    for (int i = 0; i < most_lines; ++i) {
        const auto line = co_await reader.read_line(longest_line);
        if (!line) co_return std::unexpected(line.error());
        if (line->text.empty()) {
            if (!action) co_return fail(ErrorCode::protocol, "no action in reply");
            co_return std::move(*action);
        }
        if (line->is_cut) co_return fail(ErrorCode::too_long, "reply line too long");
        if (line->text.starts_with("action=")) action = std::string(line->text.substr(7));
    }
    co_return fail(ErrorCode::too_long, "too many lines in reply");
}

}  // namespace

Task<Step> check_policy_service(Evaluation& evaluation, const Restriction& restriction)
{
    const PolicyServer& server = *restriction.server;
    const std::string request = format_policy_request(evaluation, server.policy_context);
    for (int attempt = 0; attempt < server.try_limit; ++attempt) {
        if (attempt > 0) co_await net::sleep_for(server.retry_delay);
        auto action = co_await ask(evaluation, server, request);
        if (action) co_return co_await apply_action(evaluation, server.endpoint, "check_policy_service", std::move(*action), evaluation.subject);
        evaluation.data.logger.warning("problem talking to server {}: {}", destination(server), action.error().text());
    }
    co_return co_await apply_action(evaluation, server.endpoint, "check_policy_service", server.default_action, evaluation.subject);
}

}  // namespace ekiden::check
