// The change to TLS, by command or from the first byte on. What the client said in plain text is forgotten, whoever said it:
// names, login, transaction, and bytes behind the command (RFC 3207 4.2).
#include "base/text.hpp"
#include "receive/session.hpp"
#include "smtp/xtext.hpp"

namespace ekiden::receive {

Task<bool> Session::on_starttls(smtp::Command command)
{
    if (!command.arguments.empty()) co_return refuse(501, "5.5.4", "Syntax: STARTTLS");
    if (refuse_for_milters()) co_return false;
    if (tls_) co_return refuse(554, "5.5.1", "Error: TLS already active");
    if (!(offer_ & smtp::ext_starttls)) co_return refuse(502, "5.5.1", "Error: command not implemented");
    tls::ContextPtr context;
    if (service_->tls) context = co_await service_->tls->context();
    if (!context) {
        note_trouble(trouble_resource);
        say(454, "4.7.0", "TLS not available due to local problem");
        co_return false;
    }
    if (refuse_excess_starttls()) co_return false;
    say(220, "2.0.0", "Ready to start TLS");
    if (!co_await flush()) co_return false;
    // Whatever came behind the command may be somebody else's, or a password that should have waited.
    const std::string behind = smtp::escaped(without_responses(reader_.buffered().substr(0, 100)));
    reader_.wipe();

    if (!co_await shake_hands(std::move(context))) co_return false;
    reset_transaction();
    if (milters_ && !facts_.helo_name.empty()) milters_->note_greeting();
    forwarded_.reset();
    facts_.helo_name.clear();
    facts_.protocol = "SMTP";
    facts_.sasl_method.clear();
    facts_.sasl_username.clear();
    facts_.sasl_sender.clear();
    offer_ = options_.offered(options_.discarded | smtp::ext_starttls);
    deadline_ = {};
    if (!behind.empty()) {
        // The handshake is that of a client that does not know of them.
        facts_.has_pipelined_early = true;
        log_.warning("improper command pipelining after STARTTLS from {}: {}", label_, behind);
        if (options_.forbids_bad_pipelining) {
            note_trouble(trouble_protocol);
            has_ended_ = true;
            co_return refuse(554, "5.5.0", "Error: SMTP protocol synchronization");
        }
    }
    co_return is_tls_client_welcome();
}

// smtpd_tls_wrappermode: before the greeting.
Task<bool> Session::wrap()
{
    tls::ContextPtr context;
    if (service_->tls) context = co_await service_->tls->context();
    if (!context) {
        log_.warning(
            "Wrapper-mode request dropped from {} for service {}. TLS context initialization failed. For details see earlier warnings in your logs.",
            label_, options_.service_name);
        has_ended_ = true;
        co_return false;
    }
    co_return co_await shake_hands(std::move(context));
}

Task<bool> Session::shake_hands(tls::ContextPtr context)
{
    const auto& options = options_.tls;
    const bool is_loud = (options.log & tls::log_summary) != 0;
    if (options.log & tls::log_verbose) {
        log_.info("setting up TLS connection from {}", label_);
        log_.info("{}: TLS cipher list \"{}\"", label_, options.ciphers);
    }
    tls::ConnectionPtr connection =
        tls::make_server_connection(std::move(stream_), std::move(context), {&log_, label_, options.log});
    tls_ = connection.get();
    stream_ = std::move(connection);
    reader_.use_stream(*stream_);
    stream_->set_time_limit(options.handshake_limit);
    const auto accepted = co_await tls_->accept();
    if (!accepted) {
        const Error& error = accepted.error();
        if (error.is(ErrorCode::cancelled)) {
            problem_ = error;
            co_return false;
        }
        const std::string_view why = error.is(ErrorCode::timeout)    ? "Connection timed out"
                                     : error.is(ErrorCode::protocol) ? "-1"
                                                                     : "lost connection";
        log_.info("SSL_accept error from {}: {}", label_, why);
        for (const std::string& line : tls_->failures()) log_.warning("TLS library problem: {}", line);
        problem_ = Error(ErrorCode::closed, "TLS handshake failed");
        co_return false;
    }
    const tls::Summary& summary = tls_->summary();
    facts_.is_encrypted = true;
    facts_.tls_protocol = summary.protocol;
    facts_.tls_cipher = summary.cipher;
    facts_.tls_cipher_bits = summary.bits_used;
    facts_.is_ccert_verified = summary.is_verified;
    facts_.ccert_subject = summary.subject;
    facts_.ccert_issuer = summary.issuer;
    facts_.ccert_fingerprint = summary.certificate_fingerprint;
    facts_.ccert_pubkey_fingerprint = summary.key_fingerprint;
    if (is_loud) log_.info("{}", tls::established_line(summary, label_));
    co_return true;
}

bool Session::is_tls_client_welcome()
{
    const tls::Summary& summary = tls_->summary();
    if (!summary.is_resumed && end_excess_tls_session()) return false;
    if (!options_.tls.requires_certificate || summary.is_verified) return true;
    const std::string_view why =
        summary.has_certificate ? "Client certificate not trusted" : "No client certificate presented";
    log_.info("NOQUEUE: abort: TLS from {}: {}", label_, why);
    note_trouble(trouble_policy);
    say(421, "4.7.1", fmt::format("{} Error: {}", options_.hostname, why));
    return false;
}

}  // namespace ekiden::receive
