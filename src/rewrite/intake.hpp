// The waist: every message, whoever brings it, becomes a queued message here and nowhere else.
//
// A source opens a Draft, tells sender and recipients, writes content (LF line ends, any chunking), and submits. In
// order: envelope addresses completed and canonicalised, aliases expanded, Received and missing headers added, header
// addresses rewritten, bcc added, committed. submit() returns after the commit: only then may anyone say 250.
// A dropped Draft leaves nothing behind. One owner, one core; Intake is shared and immutable.
#pragma once

#include "config/settings.hpp"
#include "mail/envelope.hpp"
#include "queue/store.hpp"
#include "rewrite/resolve.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace ekiden::dns {
class Resolver;
}
namespace ekiden::milter {
class Chain;
class MacroValues;
}  // namespace ekiden::milter

namespace ekiden::rewrite {

enum class Source : std::uint8_t { smtpd, pickup, bounce, forward, notify, probe };
// Mail that we write ourselves to tell somebody something.
constexpr bool is_report(Source source) { return source == Source::bounce || source == Source::notify; }

struct DraftOptions {
    Source source = Source::smtpd;
    mail::Origin origin;
    // The part of the Received line after "Received: " up to ";" is made from origin, the id and the recipients.
    // smtpd: whether exactly one RCPT was given decides the "for <…>" clause.
    unsigned submitter_uid = 0;         // pickup: "(…, from userid N)"
    bool expands_aliases = true;        // virtual aliases, canonical (receive_override_options no_address_mappings)
    bool checks_content = true;         // header/body checks (no_header_body_checks)
    bool asks_milters = true;           // pickup: non_smtpd_milters (no_milters)
    std::uint64_t size_limit = 0;       // message_size_limit; 0 = none
    WallTime arrived_at{};              // {} = now
    std::string hostname;               // smtpd: its own $myhostname for the Received line; empty: that of the settings
    bool shows_login = false;           // smtpd_sasl_authenticated_header
    bool hides_client = false;          // smtpd_hide_client_session
    std::string log_ident;              // forwarding: id of the message this one comes from
    // smtpd_tls_received_header: whole lines "\t(using TLSv1.3 with cipher …)\n" for the Received field, or empty.
    std::string tls_comment;
    // smtpd: what RFC 3848 puts behind the protocol in the Received field ("S", "A", "SA"); nobody else is told.
    std::string protocol_suffix;
};

class Draft;

class Intake {
public:
    // `dns`: for names of milters (non_smtpd_milters); without it, none are asked.
    static std::shared_ptr<const Intake> make(config::SettingsPtr settings, std::shared_ptr<const Resolver> resolver,
                                              queue::Store& store, dns::Resolver* dns = nullptr);
    Draft open(DraftOptions options) const;

    const config::SettingsPtr& settings() const;
    const Resolver& resolver() const;
    const std::shared_ptr<const Resolver>& resolver_pointer() const;
    queue::Store& store() const;

    struct Data;
    explicit Intake(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

private:
    std::shared_ptr<const Data> data_;
};

// Why a Draft was not accepted. `status` is what the sender is told: 5.x.x for good, 4.x.x try later. The text is complete:
// the reply is "451 4.3.0 Error: queue file write error", and nobody adds another "Error: ".
struct Refusal {
    int smtp_code = 451;           // 451, 452, 550, 552, 554
    mail::Status status;           // {"4.3.0", "Error: queue file write error"}
    bool is_by_rule = false;       // header or body checks said so, or a milter
    std::string wire;              // a milter's whole reply, "550 5.7.1 text", CRLF between lines; or empty
};

class Draft {
public:
    Draft(Draft&&) noexcept;
    Draft& operator=(Draft&&) noexcept;
    ~Draft();

    mail::QueueId id() const;                      // fixed from the beginning (logged from the first RCPT on)
    void set_sender(std::string_view address);     // internal form
    mail::Envelope& envelope();                    // dsn, size, body, filter, held…; recipients through add_recipient
    void add_recipient(mail::Recipient recipient);
    std::size_t recipient_count() const;           // as given

    // A header field for the very top, above our Received (PREPEND of access maps, Received-SPF…): "Name: body", no
    // newline at the end; folded lines may be in it. Before the first write().
    void prepend_field(std::string_view field);

    // The milters of the session that this message came in by: submit() tells them the content, and carries out what they
    // ask for. Both stay until submit() has returned.
    void use_milters(milter::Chain& milters, const milter::MacroValues& values);

    // Content in order; any chunking. When the size limit or another bound is passed, the rest is swallowed and submit()
    // refuses. needs_flush()/flush() as in queue::ContentWriter.
    void write(std::string_view content);
    bool needs_flush() const;
    Task<Result<void>> flush();

    // The extended result: what was queued, or why not. Once. A message that header or body checks DISCARD is accepted
    // and forgotten: its envelope comes back, nothing is in the queue. Likewise a probe for an alias that stands for several.
    Task<std::expected<queue::EnvelopePtr, Refusal>> submit();

    struct State;
    explicit Draft(std::unique_ptr<State> state);

private:
    std::unique_ptr<State> state_;
};

}  // namespace ekiden::rewrite
