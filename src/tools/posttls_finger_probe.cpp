// The conversation of posttls-finger: greeting, EHLO, STARTTLS, and what the certificate is worth.
#include "tools/posttls_finger.hpp"

#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "dns/resolver.hpp"
#include "net/connect.hpp"
#include "net/line_reader.hpp"
#include "smtp/extensions.hpp"
#include "tls/client_context.hpp"
#include "tls/engine.hpp"
#include "tls/peer.hpp"
#include "tls/policy.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdio>
#include <set>

namespace ekiden::tools::finger {

namespace {

constexpr std::size_t longest_line = 2048;

// The program's words go to standard output: they are what was asked for.
class Probe {
public:
    explicit Probe(const Options& options) : options_(options) {}
    Task<int> run();

private:
    struct Host {
        std::string name, path;
        net::Endpoint endpoint;
        std::string peer() const
        {
            return path.empty() ? fmt::format("{}[{}]", name, net::format_address(endpoint.address))
                                : fmt::format("{}[{}]", name, path);
        }
        std::string label() const { return path.empty() ? fmt::format("{}:{}", peer(), endpoint.port) : peer(); }
    };
    enum class Outcome { good, again_elsewhere, failed };

    void say(std::string_view text) const { log_.info("{}", text); }
    Task<Result<std::vector<Host>>> find_hosts();
    Task<Outcome> talk(const Host& host, bool is_reconnect);
    Task<bool> secure(const Host& host);
    Task<Result<smtp::Reply>> read_reply();
    Task<Result<smtp::Reply>> command(std::string line);
    Task<Result<smtp::Reply>> say_hello(const Host& host);
    Task<void> quit();
    void tell_certificate(const Host& host, const tls::Summary& summary) const;
    void print_chain(SSL* ssl) const;

    const Options& options_;
    const Logger log_{"posttls-finger"};
    std::shared_ptr<const tls::ClientContext> context_;
    std::unique_ptr<dns::Resolver> resolver_;   // until the loop has ended
    net::StreamPtr stream_;
    tls::ConnectionPtr secured_;
    std::unique_ptr<net::LineReader> reader_;
    std::string server_;                    // by its own name
    std::set<std::string> seen_servers_;
    std::string why_not_;
};

Task<Result<std::vector<Probe::Host>>> Probe::find_hosts()
{
    std::vector<Host> hosts;
    const Destination& to = options_.destination;
    if (to.is_unix) {
        hosts.push_back({options_.own_name, to.host, {}});
        co_return hosts;
    }
    dns::ResolverOptions how;
    how.server = options_.dns_server;
    how.uses_hosts_file = options_.uses_hosts_file;
    auto resolver = dns::open_resolver(how);
    if (!resolver) co_return std::unexpected(resolver.error());
    resolver_ = std::move(*resolver);
    dns::MailHostOptions wanted;
    wanted.families = options_.families;
    wanted.preferred = options_.family;
    wanted.address_source = options_.uses_hosts_file ? dns::Source::hosts_and_dns : dns::Source::dns;
    wanted.uses_mx = to.uses_mx;
    const auto found = co_await dns::find_mail_hosts(*resolver_, to.host, wanted);
    if (found.hosts.empty()) co_return fail(ErrorCode::not_found, found.text);
    for (const auto& host : found.hosts) {
        Host next;
        next.name = host.name;
        next.endpoint.address = host.address;
        next.endpoint.port = to.port;
        hosts.push_back(std::move(next));
    }
    co_return hosts;
}

Task<Result<smtp::Reply>> Probe::read_reply()
{
    net::Stream& stream = secured_ ? static_cast<net::Stream&>(*secured_) : *stream_;
    stream.set_time_limit(options_.command_limit);
    smtp::ReplyParser parser;
    for (;;) {
        const auto line = co_await reader_->read_line(longest_line);
        if (!line) co_return std::unexpected(line.error());
        if (options_.shows_chat) say(fmt::format("< {}", line->text));
        const auto is_complete = parser.feed(line->text);
        if (!is_complete) co_return std::unexpected(is_complete.error());
        if (*is_complete) co_return parser.take();
    }
}

Task<Result<smtp::Reply>> Probe::command(std::string line)
{
    if (options_.shows_chat) say("> " + line);
    line += "\r\n";
    net::Stream& stream = secured_ ? static_cast<net::Stream&>(*secured_) : *stream_;
    stream.set_time_limit(options_.command_limit);
    const auto written = co_await stream.write(line);
    if (!written) co_return std::unexpected(written.error());
    co_return co_await read_reply();
}

Task<Result<smtp::Reply>> Probe::say_hello(const Host& host)
{
    auto reply = co_await command((options_.is_lmtp ? "LHLO " : "EHLO ") + options_.hello);
    if (!reply)
        why_not_ = fmt::format("lost connection with {} while performing the {} handshake", host.peer(),
                               options_.is_lmtp ? "LHLO" : "EHLO");
    else if (!reply->is_positive())
        why_not_ = fmt::format("host {} refused to talk to me: {}", host.peer(), smtp::one_line(*reply));
    else server_ = base::lower(std::string_view(reply->lines.front()).substr(0, reply->lines.front().find(' ')));
    co_return reply;
}

Task<void> Probe::quit()
{
    (void)co_await command("QUIT");
    if (secured_) co_await secured_->say_goodbye();
}

void Probe::tell_certificate(const Host& host, const tls::Summary& summary) const
{
    say(fmt::format("{}: subject_CN={}, issuer_CN={}, fingerprint={}, pkey_fingerprint={}", host.label(),
                    summary.subject, summary.issuer, summary.certificate_fingerprint, summary.key_fingerprint));
}

std::string bare(std::string_view fingerprint)
{
    std::string text;
    for (const char c : fingerprint)
        if (c != ':') text += base::to_upper(c);
    return text;
}

// Which of the expected names the certificate has; empty for none.
std::string matched_name(SSL* ssl, const tls::ClientPolicy& policy)
{
    X509* certificate = SSL_get0_peer_certificate(ssl);
    const unsigned flags =
        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | (policy.wildcards_are_deep ? X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS : 0);
    for (const std::string& name : policy.match) {
        char* found = nullptr;
        if (X509_check_host(certificate, name.data(), name.size(), flags, &found) == 1) {
            const std::string text = found ? found : name;
            OPENSSL_free(found);
            return text;
        }
        if (X509_check_ip_asc(certificate, name.c_str(), 0) == 1) return name;
    }
    return {};
}

void Probe::print_chain(SSL* ssl) const
{
    base::flush_log();
    fmt::print("\n---\nCertificate chain\n");
    const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
    for (int i = 0; chain && i < sk_X509_num(chain); ++i) {
        X509* certificate = sk_X509_value(chain, i);
        fmt::print("{:2} subject: {}\n    issuer: {}\n   cert digest={}\n   pkey digest={}\n", i,
                   tls::one_line_name(X509_get_subject_name(certificate)),
                   tls::one_line_name(X509_get_issuer_name(certificate)),
                   tls::certificate_fingerprint(certificate, options_.tls.digest),
                   tls::key_fingerprint(certificate, options_.tls.digest, options_.tls.has_legacy_key_fingerprints));
        std::fflush(stdout);
        PEM_write_X509(stdout, certificate);
    }
    std::fflush(stdout);
}

Task<bool> Probe::secure(const Host& host)
{
    tls::Target target;
    target.key = options_.destination.text;
    target.domain = options_.destination.is_unix ? options_.own_name : options_.destination.host;
    target.host = host.name;
    target.is_unix = options_.destination.is_unix;
    std::string entry(tls::name_of(options_.level));
    const bool is_by_fingerprint = options_.level == tls::Level::fingerprint;
    if (!options_.match.empty() && tls::is_matched(options_.level))
        entry += fmt::format(" match={}", fmt::join(options_.match, is_by_fingerprint ? "|" : ":"));
    auto policy = tls::parse_policy(entry, options_.tls, target, host.label(), log_);
    if (!policy) {
        why_not_ = policy.error().text();
        co_return false;
    }
    const std::string session_key = target.key + '\n' + server_ + '\n' + policy->digest();
    if (options_.told.steps) say(fmt::format("setting up TLS connection to {}", host.label()));
    auto ssl = context_->begin(*policy, session_key);
    if (!ssl) {
        log_.warning("{}: {}", host.label(), ssl.error().text());
        why_not_ = ssl.error().text();
        co_return false;
    }
    SSL* const handle = ssl->get();
    const std::uint8_t bits = options_.told.steps ? tls::log_summary | tls::log_verbose : 0;
    secured_ = tls::make_client_connection(std::move(stream_), std::move(*ssl), context_, {&log_, host.label(), bits});
    secured_->set_time_limit(options_.command_limit);
    if (const auto connected = co_await secured_->connect(); !connected) {
        const Error& error = connected.error();
        say(fmt::format("SSL_connect error to {}: {}", host.label(),
                        error.is(ErrorCode::timeout)    ? "Connection timed out"
                        : error.is(ErrorCode::protocol) ? "-1"
                                                        : "lost connection"));
        for (const std::string& line : secured_->failures()) log_.warning("TLS library problem: {}", line);
        why_not_ = "TLS handshake failed";
        co_return false;
    }
    reader_->use_stream(*secured_);
    const auto summary = tls::summarize_client(handle, options_.tls.digest, options_.tls.has_legacy_key_fingerprints);
    const auto verdict = tls::ClientContext::finish(handle, *policy);
    std::string_view trust = "Untrusted";
    if (!summary.has_certificate) {
        trust = "Anonymous";
    } else if (is_by_fingerprint) {
        const std::string own[] = {bare(summary.certificate_fingerprint), bare(summary.key_fingerprint)};
        const auto found = std::ranges::find_if(
            policy->match, [&](const auto& wanted) { return bare(wanted) == own[0] || bare(wanted) == own[1]; });
        if (found != policy->match.end()) trust = "Verified";
        if (found == policy->match.end())
            say(fmt::format("server certificate verification failed for {}: {}", host.label(),
                            tls::name_error_text(X509_V_ERR_DANE_NO_MATCH)));
        else if (options_.told.certificate_match)
            say(fmt::format("{}: Matched fingerprint: {}", host.label(), bare(*found)));
    } else if (!tls::is_matched(options_.level)) {
        if (verdict.chain_problem.empty()) trust = "Trusted";
    } else if (verdict.is_good()) {
        trust = "Verified";
        if (options_.told.certificate_match && !summary.is_resumed)
            say(fmt::format("{}: matched peername: {}", host.label(), matched_name(handle, *policy)));
    } else if (!verdict.chain_problem.empty()) {
        say(fmt::format("certificate verification failed for {}: {}", host.label(), verdict.chain_problem));
    } else {
        say(fmt::format("server certificate verification failed for {}: {}", host.label(),
                        tls::name_error_text(verdict.name_error)));
    }
    if (summary.is_resumed) say(fmt::format("{}: Reusing old session", host.label()));
    else if (summary.has_certificate && (options_.told.certificate_match || options_.told.peer_certificate))
        tell_certificate(host, summary);
    if (options_.told.summary)
        say(fmt::format("{} TLS connection established to {}: {}", trust, host.label(), tls::describe(summary)));
    if (options_.shows_chain && !summary.is_resumed) print_chain(handle);
    co_return true;
}

Task<Probe::Outcome> Probe::talk(const Host& host, bool is_reconnect)
{
    secured_.reset();
    auto connected = host.path.empty()
                         ? co_await net::connect_tcp(host.endpoint, {.time_limit = options_.connect_limit})
                         : co_await net::connect_unix(host.path, options_.connect_limit);
    if (!connected) {
        why_not_ = fmt::format("connect to {}: {}", host.label(), connected.error().text());
        co_return Outcome::again_elsewhere;
    }
    stream_ = std::move(*connected);
    reader_ = std::make_unique<net::LineReader>(*stream_);
    if (options_.shows_chat && !is_reconnect) say("Connected to " + host.label());
    if (options_.is_wrapped && !co_await secure(host)) co_return Outcome::failed;
    const auto greeting = co_await read_reply();
    if (!greeting || !greeting->is_positive()) {
        why_not_ =
            greeting ? fmt::format("host {} refused to talk to me: {}", host.peer(), smtp::one_line(*greeting))
                     : fmt::format("lost connection with {} while receiving the initial server greeting", host.peer());
        co_return Outcome::again_elsewhere;
    }
    auto hello = co_await say_hello(host);
    if (!hello) co_return Outcome::again_elsewhere;
    const bool has_offer = hello->is_positive() && smtp::parse_offer(*hello).has(smtp::ext_starttls);
    bool is_fine = true;
    if (!options_.is_wrapped && options_.level != tls::Level::none && has_offer) {
        const auto ready = co_await command("STARTTLS");
        if (!ready || ready->code != 220) {
            why_not_ = ready ? fmt::format("host {} refused STARTTLS: {}", host.peer(), smtp::one_line(*ready))
                             : fmt::format("lost connection with {} after STARTTLS", host.peer());
            say(why_not_);
            is_fine = false;
        } else {
            // What came with the answer was said by whoever stands between us.
            reader_->discard_buffered();
            if (!co_await secure(host)) co_return Outcome::failed;
            hello = co_await say_hello(host);
            if (!hello) co_return Outcome::failed;
        }
    } else if (!has_offer && !options_.is_wrapped && options_.level != tls::Level::none && !options_.shows_chat) {
        say(fmt::format("{} does not offer STARTTLS", host.label()));
    }
    co_await quit();
    co_return is_fine ? Outcome::good : Outcome::failed;
}

Task<int> Probe::run()
{
    if (options_.level != tls::Level::none || options_.is_wrapped) {
        std::vector<std::string> warnings;
        auto context = tls::ClientContext::make(options_.tls, warnings);
        for (const std::string& text : warnings) log_.warning("{}", text);
        if (!context) {
            log_.fatal("{}", context.error().text());
            co_return 1;
        }
        context_ = std::move(*context);
    }
    const auto hosts = co_await find_hosts();
    if (!hosts) {
        say(fmt::format("Destination address lookup failed: {}", hosts.error().text()));
        co_return 1;
    }
    for (const Host& host : *hosts) {
        auto outcome = co_await talk(host, false);
        if (outcome == Outcome::again_elsewhere) {
            const std::string via = options_.destination.is_unix ? "" : " via " + host.name;
            say(fmt::format("Failed to establish session to {}{}: {}", options_.destination.text, via, why_not_));
            continue;
        }
        for (int count = 0;
             outcome == Outcome::good && options_.reconnect_delay >= 0 && secured_ && count < options_.most_reconnects;
             ++count) {
            seen_servers_.insert(server_);
            say(fmt::format("Reconnecting after {} seconds", options_.reconnect_delay));
            co_await net::sleep_for(std::chrono::seconds(options_.reconnect_delay));
            outcome = co_await talk(host, true);
            if (outcome != Outcome::good) break;
            if (seen_servers_.contains(server_)) {
                say("Found a previously used server.  Done reconnecting.");
                break;
            }
        }
        co_return outcome == Outcome::good ? 0 : 1;
    }
    co_return 1;
}

}  // namespace

int probe(const Options& options)
{
    base::use_sink(base::function_sink([](base::LogLevel, std::string_view tag, std::string line) {
        fmt::print("{}: {}\n", tag, line);
        std::fflush(stdout);
    }));
    asio::io_context loop(1);
    int status = 1;
    {
        Probe work(options);
        asio::co_spawn(loop, work.run(), [&](std::exception_ptr error, int result) {
            if (!error) status = result;
            loop.stop();
        });
        const auto guard = asio::make_work_guard(loop);
        loop.run();
    }
    base::flush_log();
    return status;
}

}  // namespace ekiden::tools::finger
