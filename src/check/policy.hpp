// Access policy of one smtpd service: the smtpd_*_restrictions lists, parsed once per settings snapshot, and what they
// say about a session. smtpd_delay_reject is honoured inside: client, helo and sender lists are evaluated at RCPT then,
// but at once for VRFY and ETRN. Immutable; evaluate on any core.
//
// Relay control is never optional: a list without a working refusal of unauthorised destinations makes the service
// refuse to run, with Postfix's text (see problems()).
#pragma once

#include "base/log.hpp"
#include "check/facts.hpp"
#include "check/reject_footer.hpp"
#include "config/settings.hpp"
#include "dns/resolver.hpp"
#include "rewrite/resolve.hpp"
#include "smtp/reply.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::verify {
class Verifier;
}

namespace ekiden::check {

enum class Stage : std::uint8_t { connect, helo, mail, rcpt, data, end_of_data, etrn, vrfy };

// What to do, and how it is said and logged.
struct Verdict {
    enum class Action : std::uint8_t { permit, reject } action = Action::permit;
    smtp::Reply reply;                 // reject: "554 5.7.1 <x@y>: Relay access denied"
    std::string log_text;              // reject: what follows "reject: RCPT from name[addr]: " up to "; from=<"
    bool must_disconnect = false;      // 421, 521
    // Whose fault a refusal is, in the words of notify_classes: `software` and `resource` ones are told to postmaster.
    enum class Fault : std::uint8_t { policy, bounce, data, software, resource } fault = Fault::policy;

    // Actions that apply to the message whatever the verdict; accumulated over the stages of a transaction.
    bool discards = false;             // DISCARD: pretend to accept
    bool holds = false;                // HOLD
    std::string filter, redirect;      // FILTER, REDIRECT
    std::vector<std::string> bcc, prepend;
};

class Policy {
public:
    // `settings` is the service's own snapshot. Restriction syntax problems (unknown names, missing arguments) do not
    // throw: they are in problems() for the start-up check and answer "451 4.3.5 Server configuration error" at run
    // time, as in Postfix. Throws config::ConfigError for the relay-safety failure.
    // `verifier`: for reject_unverified_*; without one these cannot tell, and act as after a probe that failed for now.
    static std::shared_ptr<const Policy> make(config::SettingsPtr settings,
                                              std::shared_ptr<const rewrite::Resolver> resolver, dns::Resolver& dns,
                                              Logger logger, std::shared_ptr<verify::Verifier> verifier = nullptr);

    // The verdict of all lists that belong to `stage` (with delay_reject taken into account). Log lines for
    // warn_if_reject, WARN/INFO/FILTER/HOLD… are written here ("NOQUEUE: warn: RCPT from …"); the reject line too.
    Task<Verdict> evaluate(Stage stage, const Facts& facts) const;
    // False: evaluate() would permit whatever the facts are, since smtpd_delay_reject leaves all to RCPT.
    bool has_rules_at(Stage stage) const;

    // What is wrong with the lists as they are written: said at the start, answered with 451 4.3.5 at run time.
    const std::vector<config::Problem>& problems() const;
    const RejectFooter& reject_footer() const;

    struct Data;
    explicit Policy(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

private:
    std::shared_ptr<const Data> data_;
};

// Would nothing in smtpd_relay_restrictions and smtpd_recipient_restrictions keep strangers from relaying? make() throws for
// such settings. `settings` is the service's own snapshot; opens no table.
bool is_open_relay(const config::Settings& settings);
extern const char open_relay_text[];  // what is said of it, in Postfix's words

}  // namespace ekiden::check
