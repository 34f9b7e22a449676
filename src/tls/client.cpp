#include "tls/client.hpp"

#include "net/blocking.hpp"
#include "tls/client_context.hpp"
#include "tls/peer.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::tls {

namespace {

std::int64_t ticks(SteadyTime at)
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

std::string state_of(const ClientOptions& options)
{
    std::vector<std::string> files = options.credentials.files();
    if (!options.ca_file.empty()) files.push_back(options.ca_file);
    return state_of_files(files);
}

std::string bare(std::string_view fingerprint)
{
    std::string text;
    for (char c : fingerprint) {
        if (c != ':') text += c;
    }
    return text;
}

bool has_fingerprint(const ClientPolicy& policy, const Summary& summary)
{
    const std::string certificate = bare(summary.certificate_fingerprint), key = bare(summary.key_fingerprint);
    return std::ranges::any_of(policy.match, [&](const std::string& wanted) {
        return !wanted.empty() && (wanted == certificate || wanted == key);
    });
}

}  // namespace

Client::Client(ClientOptions options, Logger log) : options_(std::move(options)), log_(std::move(log)) {}
Client::~Client() = default;

std::shared_ptr<Client> Client::make(ClientOptions options, Logger log)
{
    auto made = std::make_shared<Client>(std::move(options), std::move(log));
    if (!made->options_.is_used()) return made;
    for (const std::string& text : made->options_.warnings) made->log_.warning("{}", text);
    made->look();
    made->look_at_.store(ticks(base::steady_now() + look_interval));
    return made;
}

void Client::look()
{
    Active next;
    next.has_looked = true;
    next.state = state_of(options_);
    {
        auto active = active_.lock();
        if (active->has_looked && active->state == next.state) return;
        next.context = active->context;
    }
    load(next);
    *active_.lock() = std::move(next);
}

void Client::load(Active& active)
{
    std::vector<std::string> warnings;
    auto made = ClientContext::make(options_, warnings);
    for (const std::string& text : warnings) log_.warning("{}", text);
    if (made) active.context = std::move(*made);
    else if (active.context)
        log_.warning("{}: the certificates and keys read before stay in force", made.error().text());
    else log_.warning("{}: disabling TLS support", made.error().text());
}

Task<Client::ContextPtr> Client::context()
{
    const SteadyTime now = base::steady_now();
    std::int64_t due = look_at_.load(std::memory_order_relaxed);
    if (ticks(now) >= due && look_at_.compare_exchange_strong(due, ticks(now + look_interval))) {
        if (net::BlockingPool* pool = blocking_pool()) co_await pool->run([this] { look(); });
        else look();
    }
    co_return active_.lock()->context;
}

Task<bool> Client::is_available()
{
    const ContextPtr current = co_await context();
    co_return current != nullptr;
}

Task<Result<Client::Secured>> Client::shake_hands(net::StreamPtr below, ClientPolicy policy, std::string peer)
{
    const ContextPtr current = co_await context();
    if (!current) co_return fail(ErrorCode::unavailable, "our TLS engine is unavailable");
    const bool is_loud = (options_.log & log_summary) != 0;
    if (options_.log & log_verbose) log_.info("setting up TLS connection to {}", peer);
    const std::string session_key = peer + '\n' + policy.digest();
    auto ssl = current->begin(policy, session_key);
    if (!ssl) {
        log_.warning("{}: {}", peer, ssl.error().text());
        co_return fail(ErrorCode::syntax, ssl.error().text());
    }
    SSL* handle = ssl->get();
    Secured secured;
    secured.connection =
        make_client_connection(std::move(below), std::move(*ssl), current, {&log_, peer, options_.log});
    secured.connection->set_time_limit(options_.handshake_limit);
    const auto connected = co_await secured.connection->connect();
    if (!connected) {
        const Error& error = connected.error();
        const std::string_view why = error.is(ErrorCode::timeout)    ? "Connection timed out"
                                     : error.is(ErrorCode::protocol) ? "-1"
                                                                     : "lost connection";
        log_.info("SSL_connect error to {}: {}", peer, why);
        for (const std::string& line : secured.connection->failures()) log_.warning("TLS library problem: {}", line);
        current->forget(session_key);
        co_return fail(error.code(), "TLS handshake failed");
    }

    const Summary summary = summarize_client(handle, options_.digest, options_.has_legacy_key_fingerprints);
    const Verdict verdict = ClientContext::finish(handle, policy);
    std::string_view trust = "Untrusted";
    if (policy.level == Level::fingerprint) {
        secured.is_matched = has_fingerprint(policy, summary);
        if (secured.is_matched) trust = "Verified";
        else if (is_loud)
            log_.info("server certificate verification failed for {}: {}", peer,
                      name_error_text(X509_V_ERR_DANE_NO_MATCH));
    } else if (!summary.has_certificate) {
        trust = "Anonymous";
    } else if (!is_matched(policy.level)) {
        if (verdict.chain_problem.empty()) trust = "Trusted";
    } else if (verdict.is_good()) {
        secured.is_matched = true;
        trust = "Verified";
    } else if (is_loud) {
        if (!verdict.chain_problem.empty())
            log_.info("certificate verification failed for {}: {}", peer, verdict.chain_problem);
        else log_.info("server certificate verification failed for {}: {}", peer, name_error_text(verdict.name_error));
    }
    secured.is_trusted = !is_matched(policy.level) || secured.is_matched;
    if (is_loud) log_.info("{} TLS connection established to {}: {}", trust, peer, describe(summary));
    co_return secured;
}

}  // namespace ekiden::tls
