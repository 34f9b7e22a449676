// check_policy_service: asks a policy server (SMTPD_POLICY_README) over a kept connection and carries out its answer.
// Whatever goes wrong ends, in bounded time, in the configured default action, which defers.
#include "base/text.hpp"
#include "check/policy_connections.hpp"
#include "check/policy_protocol.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "dns/connect_host.hpp"
#include "net/connect.hpp"
#include "net/line_reader.hpp"

namespace ekiden::check {
namespace {

// "127.0.0.1:2599" as it stands in warnings.
std::string_view destination(const PolicyServer& server) { return std::string_view(server.endpoint).substr(5); }

std::string socket_path(const Evaluation& evaluation, const PolicyServer& server)
{
    const std::string_view path = destination(server);
    if (path.starts_with('/')) return std::string(path);
    return fmt::format("{}/{}", evaluation.data.settings->str("queue_directory"), path);
}

Task<Result<net::StreamPtr>> open_connection(Evaluation& evaluation, const PolicyServer& server)
{
    const Policy::Data& data = evaluation.data;
    if (server.endpoint.starts_with("unix:")) {
        std::string path = socket_path(evaluation, server);
        co_return co_await net::connect_unix(std::move(path), server.timeout);
    }
    const auto split = net::split_host_port(destination(server));
    if (!split) co_return fail(ErrorCode::syntax, "bad address");
    const auto port = net::find_port(split->port, data.settings->str("known_tcp_ports"));
    if (!port) co_return fail(ErrorCode::not_found, "unknown port");
    co_return co_await dns::connect_host(*data.dns, split->host, *port, server.timeout);
}

// One request and its reply. The time limit is for all of it, so that a server that sends a byte now and then does not
// hold the session. `is_spoiled`: the server said more than was asked for.
Task<Result<std::string>> exchange(net::Stream& stream, const PolicyServer& server, const std::string& request,
                                   bool& is_spoiled)
{
    stream.set_time_limit(server.timeout);
    EKIDEN_CO_TRY(co_await stream.write(std::string_view(request)));
    net::LineReader reader(stream, 512);
    PolicyReply reply;
    for (;;) {
        const auto line = co_await reader.read_line(PolicyReply::longest_line);
        if (!line) co_return std::unexpected(line.error());
        const auto is_complete = reply.feed(line->text, line->is_cut);
        if (!is_complete) co_return std::unexpected(is_complete.error());
        if (*is_complete) break;
    }
    is_spoiled = !reader.buffered().empty();
    co_return reply.take_action();
}

bool is_gone(const Error& error)
{
    return error.code() != ErrorCode::timeout && error.code() != ErrorCode::protocol &&
           error.code() != ErrorCode::cancelled;
}

Task<Result<std::string>> ask(Evaluation& evaluation, const PolicyServer& server, const std::string& request)
{
    PolicyConnections& pool = PolicyConnections::of(co_await asio::this_coro::executor);
    const std::string key = server.endpoint.starts_with("unix:") ? socket_path(evaluation, server) : server.endpoint;
    for (;;) {
        auto connection = pool.take(key, evaluation.facts.instance);
        const bool is_reused = connection.has_value();
        if (!is_reused) {
            auto stream = co_await open_connection(evaluation, server);
            if (!stream) {
                evaluation.data.logger.warning("connect to {}: {}", destination(server), stream.error().text());
                co_return std::unexpected(std::move(stream).error());
            }
            const SteadyTime now = base::steady_now();
            connection.emplace(PolicyConnection{std::move(*stream), now, now, 0, {}});
        }
        bool is_spoiled = false;
        auto action = co_await exchange(*connection->stream, server, request, is_spoiled);
        if (action) {
            ++connection->requests;
            connection->instance = evaluation.facts.instance;
            if (!is_spoiled) pool.keep(key, std::move(*connection), server);
            co_return action;
        }
        // A server may close a connection whenever it likes; that is no failure yet, and the pool is finite.
        if (is_reused && is_gone(action.error())) continue;
        if (action.error().code() == ErrorCode::protocol)
            evaluation.data.logger.warning("{} in input from {}",
                                           action.error().text() == "no action in reply" ? "missing attribute action"
                                                                                         : action.error().text(),
                                           destination(server));
        co_return action;
    }
}

}  // namespace

Task<Step> check_policy_service(Evaluation& evaluation, const Restriction& restriction)
{
    const PolicyServer& server = *restriction.server;
    const std::string request = format_policy_request(evaluation, server.policy_context);
    std::string action = server.default_action;
    for (int attempt = 1; attempt <= server.try_limit; ++attempt) {
        if (attempt > 1) co_await net::sleep_for(server.retry_delay);
        auto said = co_await ask(evaluation, server, request);
        if (said && base::is_valid_utf8(*said)) {
            action = std::move(*said);
            break;
        }
        if (said) {
            evaluation.data.logger.warning("malformed UTF-8 in policy server {} response: \"{}\"", server.name,
                                           base::printable(*said));
            break;
        }
        // A server that hangs up or babbles gets another chance before it is complained about.
        const bool is_application_error =
            said.error().code() == ErrorCode::protocol || said.error().code() == ErrorCode::closed;
        if (attempt == server.try_limit || !is_application_error)
            evaluation.data.logger.warning("problem talking to server {}: {}", destination(server),
                                           is_application_error ? "Application error" : said.error().text());
    }
    if (action.empty()) {
        evaluation.data.logger.warning("access table {} entry  has empty value", server.name);
        co_return Step::dunno;
    }
    co_return co_await apply_action(evaluation, server.name, "policy query", std::move(action), evaluation.subject);
}

}  // namespace ekiden::check
