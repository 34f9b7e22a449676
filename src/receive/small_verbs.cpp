// The verbs that carry no mail.
#include "base/text.hpp"
#include "mail/address.hpp"
#include "receive/session.hpp"
#include "smtp/xtext.hpp"

namespace ekiden::receive {

using check::Stage;
using check::Verdict;

Task<bool> Session::on_noop(smtp::Command)
{
    say(250, "2.0.0", "Ok");
    co_return true;
}

Task<bool> Session::on_quit(smtp::Command)
{
    say(221, "2.0.0", "Bye");
    has_ended_ = true;
    co_return true;
}

Task<bool> Session::on_vrfy(smtp::Command command)
{
    if (!options_.has_vrfy) co_return refuse(502, "5.5.1", "VRFY command is disabled");
    if (refuse_for_milters()) co_return false;
    std::string_view text = command.arguments;
    if (text.empty()) co_return refuse(501, "5.5.4", "Syntax: VRFY address [SMTPUTF8]");
    std::string_view rest = text;
    const std::string_view first = smtp::next_word(rest);
    if (base::equal_ignoring_case(base::trim(rest), "SMTPUTF8")) text = first;

    std::string address;
    bool is_parsed = smtp::parse_address(text, address) && !address.empty();
    if (!is_parsed && text.starts_with('<') && text.find('>') == std::string_view::npos) {
        // No path, so the bracket is just a character of a strange name.
        address = text;
        is_parsed = true;
    }
    if (!accept_address("VRFY", text, address, is_parsed, smtp::Reply(501, "5.1.3", "Bad recipient address syntax")))
        co_return false;
    // The question must not leave traces in a transaction that is under way.
    std::string kept = std::exchange(facts_.recipient, std::move(address));
    Verdict verdict = co_await service_->policy->evaluate(Stage::vrfy, facts_);
    facts_.recipient = std::move(kept);
    if (verdict.action == Verdict::Action::reject) co_return refuse(std::move(verdict));
    // 252: we know of no reason why not; whether the mail can be delivered is another matter.
    say(252, "2.0.0", text);
    co_return true;
}

Task<bool> Session::on_etrn(smtp::Command command)
{
    if (options_.requires_helo && facts_.helo_name.empty())
        co_return refuse(503, "", "Error: send HELO/EHLO first");
    if (refuse_for_milters()) co_return false;
    if (facts_.has_sender) co_return refuse(503, "5.5.1", "Error: MAIL transaction in progress");
    if (smtp::count_words(command.arguments, 2) != 1) co_return refuse(500, "", "Syntax: ETRN domain");
    std::string_view domain = command.arguments;
    if (domain.starts_with('@') || domain.starts_with('#')) domain.remove_prefix(1);
    const bool is_valid =
        domain.starts_with('[') ? mail::is_valid_address_literal(domain) : mail::is_valid_hostname(domain);
    if (!is_valid) co_return refuse(501, "", "Error: invalid parameter syntax");

    facts_.etrn_domain = base::lower(domain);
    Verdict verdict = co_await service_->policy->evaluate(Stage::etrn, facts_);
    const std::string asked = std::exchange(facts_.etrn_domain, {});
    if (verdict.action == Verdict::Action::reject) co_return refuse(std::move(verdict));
    const auto may_flush = co_await options_.fast_flush_domains.matches_name(asked);
    if (!may_flush) co_return refuse(458, "", "Unable to queue messages");
    if (!*may_flush) {
        log_.warning("reject: ETRN {:.100}... from {}", base::printable(domain), label_);
        co_return refuse(459, "", "<" + std::string(domain) + ">: service unavailable");
    }
    if (service_->flush) service_->flush(asked);
    say(250, "", "Queuing started");
    co_return true;
}

Task<bool> Session::on_unknown(smtp::Command command)
{
    // Message text or another protocol: whoever made the other side say this must not get a second command through.
    bool is_forbidden = smtp::looks_like_header(command.verb);
    if (!is_forbidden && !options_.forbidden_commands.is_empty()) {
        const auto is_listed = co_await options_.forbidden_commands.matches_name(std::string(command.verb));
        is_forbidden = is_listed.value_or(false);
    }
    if (!is_forbidden && is_refused_) co_return refuse(503, "5.7.0", "Error: access denied for " + label_);
    if (!is_forbidden && milters_) {
        Verdict verdict = co_await milters_->unknown(command.verb);
        if (verdict.action == Verdict::Action::reject) co_return refuse(std::move(verdict));
    }
    if (!is_forbidden) co_return refuse(500, "5.5.2", "Error: command not recognized");
    // Behind a login that failed early it may be the rest of it.
    const std::string shown = may_hear_secret_ ? std::string("...") : smtp::escaped(command.line.substr(0, 100));
    log_.warning("non-SMTP command from {}: {}", label_, shown);
    has_ended_ = true;
    co_return refuse(221, "2.7.0", "Error: I can break rules, too. Goodbye.");
}

}  // namespace ekiden::receive
