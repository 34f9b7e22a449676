// Delivery's way from a host to a session that is ready for MAIL: connecting, TLS, logging in.
#include "deliver/smtp/delivery.hpp"
#include "deliver/smtp/log_in.hpp"
#include "mail/queue_id.hpp"
#include "net/connect.hpp"
#include "tls/policy.hpp"

#include <fmt/format.h>

namespace ekiden::deliver::smtp {

Task<Result<net::StreamPtr>> Delivery::connect(const Candidate& candidate) const
{
    if (!candidate.path.empty()) {
        std::string path = candidate.path;
        if (!path.starts_with('/')) path = options_.queue_directory + "/" + path;
        co_return co_await net::connect_unix(std::move(path), options_.limits.connect);
    }
    net::ConnectOptions how;
    how.time_limit = options_.limits.connect;
    how.bind_address = candidate.endpoint.address.is_v4() ? options_.bind_v4 : options_.bind_v6;
    how.is_bind_required = options_.is_bind_enforced;
    co_return co_await net::connect_tcp(candidate.endpoint, std::move(how));
}

Task<Result<tls::ClientPolicy>> Delivery::find_policy(const Destination& destination, std::string host) const
{
    if (!options_.tls) co_return tls::ClientPolicy{};
    const tls::ClientOptions& options = options_.tls->options();
    tls::ClientPolicy policy;
    if (options.is_used()) {
        tls::Target target;
        target.key = destination.key;
        target.domain = destination.is_unix ? options_.host_name : destination.host;
        target.host = std::move(host);
        target.is_unix = destination.is_unix;
        EKIDEN_CO_TRY_VALUE(found, co_await tls::find_policy(options, std::move(target), logger_));
        policy = std::move(found);
    }
    if (options.is_wrapped && policy.level < tls::Level::encrypt) {
        logger_.warning("{0}tls_wrappermode requires \"{0}tls_security_level = encrypt\" (or stronger)",
                        options.prefix);
        co_return fail(ErrorCode::refused, "server unavailable or unable to receive mail");
    }
    co_return policy;
}

Task<Delivery::Opened> Delivery::open(Session& session, const Destination& destination, tls::ClientPolicy policy,
                                      ekiden::smtp::Extensions ignored, Workarounds workarounds) const
{
    Opened opened;
    const bool is_wrapped = options_.tls && options_.tls->options().is_wrapped;
    if (is_wrapped) opened.refusal = co_await start_tls(session, policy);
    if (!opened.refusal) opened.refusal = co_await session.greet(options_, ignored, workarounds);
    if (opened.refusal) co_return opened;
    if (options_.told_ignored)
        logger_.info("discarding {} keywords: {}", options_.is_lmtp ? "LHLO" : "EHLO",
                     ekiden::smtp::extension_names(options_.told_ignored));

    const bool has_offer = session.offer().has(ekiden::smtp::ext_starttls);
    if (!is_wrapped && policy.level == tls::Level::none) {
        if (has_offer && options_.tls && options_.tls->options().notes_offers)
            logger_.info("Host offered STARTTLS: [{}]", session.host());
    } else if (!is_wrapped && !has_offer) {
        if (tls::is_mandatory(policy.level))
            opened.refusal = failed("4.7.4", "TLS is required, but was not offered by host " + session.peer());
    } else if (!is_wrapped) {
        opened.refusal = co_await start_tls(session, policy);
        // Before a login nobody may be talked out of TLS; after a while everybody else may.
        if (opened.refusal && !session.has_stream() && policy.level == tls::Level::may)
            opened.may_go_plain = co_await may_go_plain(session, destination);
        if (!opened.refusal && session.protection != Protection::none)
            opened.refusal = co_await session.greet_again(options_, ignored);
    }
    if (!opened.refusal) opened.refusal = co_await authenticate(session, destination);
    co_return opened;
}

Task<std::optional<Fate>> Delivery::start_tls(Session& session, const tls::ClientPolicy& policy) const
{
    const bool is_available = co_await options_.tls->is_available();
    if (!is_available) {
        if (!tls::is_mandatory(policy.level)) co_return std::nullopt;
        co_return failed("4.7.5", "TLS is required, but our TLS engine is unavailable");
    }
    if (!options_.tls->options().is_wrapped) {
        const auto reply = co_await session.ask("STARTTLS\r\n", options_.tls->options().handshake_limit);
        if (!reply) {
            session.set_broken();
            co_return broken(session.peer(), Step::starttls, reply.error());
        }
        if (reply->code == 421) session.set_broken();
        if (!reply->is_positive()) {
            if (!tls::is_mandatory(policy.level) && session.may_quit()) co_return std::nullopt;
            co_return refused_with(*reply, fmt::format("TLS is required, but host {} refused to start TLS: {}",
                                                       session.peer(), one_line(*reply)));
        }
    }
    const auto is_trusted = co_await session.secure(*options_.tls, policy);
    if (!is_trusted) co_return failed("4.7.5", "Cannot start TLS: handshake failure", true);
    if (!*is_trusted) co_return failed("4.7.5", "Server certificate not verified");
    co_return std::nullopt;
}

Task<bool> Delivery::may_go_plain(const Session& session, const Destination& destination) const
{
    if (base::wall_now() - job_.envelope->arrived_at < options_.plaintext_after) co_return false;
    if (!options_.login.is_enabled) co_return true;
    const auto login = co_await find_login(destination.key, session.host());
    co_return login && !*login;
}

Task<Result<std::optional<Login>>> Delivery::find_login(std::string destination_key, std::string host) const
{
    const LoginOptions& options = options_.login;
    EKIDEN_CO_TRY_VALUE(of_sender, co_await find_login_of_sender(options, job_.envelope->sender, &logger_));
    if (of_sender) co_return std::move(of_sender);
    EKIDEN_CO_TRY_VALUE(of_host, co_await find_login_of(options, std::move(host), &logger_));
    if (of_host) co_return std::move(of_host);
    co_return co_await find_login_of(options, std::move(destination_key), &logger_);
}

Task<std::optional<Fate>> Delivery::authenticate(Session& session, const Destination& destination) const
{
    if (!options_.login.is_enabled || !session.offer().has(ekiden::smtp::ext_auth)) co_return std::nullopt;
    auto login = co_await find_login(destination.key, session.host());
    if (!login) {
        logger_.warning("{}: {} lookup error", mail::format(job_.envelope->id), options_.login.passwords.title());
        co_return failed("4.3.0", "local data error while talking to " + session.peer());
    }
    if (!*login) co_return std::nullopt;
    session.login = (*login)->fingerprint();
    co_return co_await log_in(session, options_.login, std::move(**login), session.protection, options_.limits.hello,
                              options_.pool, logger_);
}

Task<void> Delivery::tell(base::Watcher& watcher, const Destination& destination, const Candidate& candidate,
                          const tls::ClientPolicy& policy) const
{
    watcher.note("host", candidate.relay(), candidate.host,
                 candidate.path.empty() ? net::format_address(candidate.endpoint.address) : candidate.path,
                 destination.text);
    std::string match;
    for (const std::string& name : policy.match) match += (match.empty() ? "" : " ") + name;
    const bool is_wrapped = options_.tls && options_.tls->options().is_wrapped;
    watcher.note("tls", tls::name_of(policy.level), policy.server_name, match, is_wrapped ? "wrapped" : "");
    if (!options_.login.is_enabled) co_return;
    const auto login = co_await find_login(destination.key, candidate.host);
    if (!login) watcher.note("login", "trouble", {}, login.error().text(), options_.login.passwords.title());
    else
        watcher.note("login", *login ? "user" : "none", {}, *login ? (*login)->user : std::string(),
                     options_.login.passwords.title());
}

Task<bool> Delivery::suits(const Session& session, const Destination& destination) const
{
    const auto policy = co_await find_policy(destination, session.host());
    if (!policy || policy->digest() != session.policy) co_return false;
    if (!options_.login.is_enabled || !session.offer().has(ekiden::smtp::ext_auth)) co_return true;
    const auto login = co_await find_login(destination.key, session.host());
    co_return login && (*login ? (*login)->fingerprint() : std::string()) == session.login;
}

Task<Result<std::string>> Delivery::reuse_key(const Destination& destination) const
{
    const auto login = co_await find_login_of_sender(options_.login, job_.envelope->sender, &logger_);
    if (!login) co_return fail(ErrorCode::unavailable, "lookup error");
    co_return *login ? destination.text + '\0' + (*login)->fingerprint() : destination.text;
}

}  // namespace ekiden::deliver::smtp
