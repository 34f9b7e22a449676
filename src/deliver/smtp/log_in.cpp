#include "deliver/smtp/log_in.hpp"

#include "base/text.hpp"
#include "sasl/client_token.hpp"
#include "sasl/cyrus_client.hpp"

#include <fmt/format.h>

namespace ekiden::deliver::smtp {

namespace {

// A dialogue of more steps than any mechanism has is an attempt to keep us busy.
constexpr int most_steps = 20;

Fate cannot(const Session& session, std::string_view why)
{
    return failed("4.7.0",
                  fmt::format("SASL authentication failed; cannot authenticate to server {}: {}", session.peer(), why));
}

Fate not_accepted(const LoginOptions& options, const ekiden::smtp::Reply& reply, std::string text)
{
    Fate fate = refused_with(reply, std::move(text));
    if (options.is_softened) soften(fate, reply);
    return fate;
}

}  // namespace

Task<std::optional<Fate>> log_in(Session& session, const LoginOptions& options, Login login, Protection protection,
                                 std::chrono::seconds time_limit, net::BlockingPool* pool, const Logger& log)
{
    const std::string offered = session.offer().auth_mechanisms;
    if (auto known = find_refusal(options, session.host(), login)) {
        co_return not_accepted(
            options, *known,
            fmt::format("SASL [CACHED] authentication failed; server {} said: {}", session.host(), one_line(*known)));
    }
    auto allowed = co_await options.allowed_mechanisms(offered);
    if (!allowed) {
        log.warning("{}", allowed.error().text());
        co_return failed("4.3.0", "local data error while talking to " + session.peer());
    }
    if (allowed->empty()) {
        log.warning("{} offered no supported AUTH mechanisms: '{}'", session.relay(), base::printable(offered));
        co_return failed(
            "4.7.0",
            fmt::format(
                "SASL authentication failed: server {} offered no compatible authentication mechanisms for this type of connection security",
                session.peer()));
    }

    sasl::ClientRequest request;
    request.service = options.is_lmtp ? "lmtp" : "smtp";
    request.host = session.host();
    request.port = session.relay().substr(session.relay().rfind(':') + 1);
    request.user = login.user;
    request.password = sasl::Secret(login.password.view());
    request.security = options.security(protection);
    request.names_authorization = options.names_authorization;
    const bool has_token = options.takes_tokens && !sasl::token_mechanism(*allowed).empty();
    const auto client = has_token ? sasl::make_token_client(std::move(request), pool)
                                  : sasl::make_cyrus_client(std::move(request), pool);
    const auto tell = [&] {
        for (const std::string& line : client->take_log()) log.warning("{}", line);
    };

    auto start = co_await client->start(*allowed);
    tell();
    if (!start) co_return cannot(session, start.error().text());
    sasl::Secret line;
    line.buffer().reserve(16 + start->mechanism.size() + (start->response ? start->response->size() : 0));
    line.buffer().append("AUTH ").append(start->mechanism);
    // RFC 4954: "=" is a response of no bytes, which is not the same as none.
    if (start->response)
        line.buffer().append(1, ' ').append(start->response->is_empty() ? "=" : start->response->view());
    line.buffer().append("\r\n");
    for (int steps = 0;; ++steps) {
        auto reply = co_await session.ask(line.view(), time_limit);
        if (!reply) {
            session.set_broken();
            co_return broken(session.peer(), Step::auth, reply.error());
        }
        if (reply->is_positive()) {
            if (!client->is_satisfied()) co_return cannot(session, "server failed mutual authentication step");
            co_return std::nullopt;
        }
        if (reply->code == 421) session.set_broken();
        if (!reply->is_intermediate()) {
            remember_refusal(options, session.host(), login, *reply);
            co_return not_accepted(
                options, *reply,
                fmt::format("SASL authentication failed; server {} said: {}", session.peer(), one_line(*reply)));
        }
        if (steps == most_steps) co_return cannot(session, "generic failure");
        // A challenge is one word; an enhanced code in front of it would be a mistake of the server's.
        auto response = co_await client->step(reply->lines.front());
        tell();
        if (!response) co_return cannot(session, response.error().text());
        line = std::move(*response);
        line.buffer().reserve(line.size() + 2);
        line.buffer().append("\r\n");
    }
}

}  // namespace ekiden::deliver::smtp
