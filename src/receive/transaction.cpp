// MAIL, RCPT and RSET.
#include "receive/transaction.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"
#include "mail/queue_id.hpp"
#include "receive/session.hpp"

#include <unistd.h>

#include <algorithm>

namespace ekiden::receive {

using check::Stage;
using check::Verdict;

void Transaction::remember(const Verdict& verdict)
{
    discards = discards || verdict.discards;
    holds = holds || verdict.holds;
    if (!verdict.filter.empty()) filter = verdict.filter;
    if (!verdict.redirect.empty()) redirect = verdict.redirect;
    bcc.insert(bcc.end(), verdict.bcc.begin(), verdict.bcc.end());
    prepend.insert(prepend.end(), verdict.prepend.begin(), verdict.prepend.end());
}

void Transaction::apply_to_draft()
{
    auto& envelope = draft->envelope();
    if (holds) envelope.is_held = true;
    if (!filter.empty()) envelope.filter = filter;
    if (!redirect.empty()) envelope.redirect = redirect;
    for (auto& address : bcc) {
        mail::Recipient recipient;
        recipient.address = std::move(address);
        recipient.notify = mail::notify_never;    // a copy nobody asked for must not tell anybody that it failed
        draft->add_recipient(std::move(recipient));
    }
    bcc.clear();
}

void Transaction::count_wire(std::string_view bytes)
{
    const auto line_feed = chunking == Chunking::none ? bytes.rfind('\n') : std::string_view::npos;
    if (line_feed != std::string_view::npos) line_bytes = wire_bytes + line_feed + 1;
    wire_bytes += bytes.size();
}

void Transaction::count_lines(std::string_view content)
{
    line_bytes += content.size() + static_cast<std::uint64_t>(std::ranges::count(content, '\n'));
}

void Session::reset_transaction()
{
    transaction_ = Transaction();
    if (milters_) milters_->note_reset();
    facts_.has_sender = false;
    facts_.sender.clear();
    facts_.recipient.clear();
    facts_.queue_id.clear();
    facts_.instance.clear();
    facts_.sasl_sender.clear();
    facts_.recipients.clear();
    facts_.message_size = 0;
    facts_.recipient_count = 0;
    facts_.is_smtputf8 = facts_.is_held = false;
}

// Can mail ever go there? What trivial-rewrite would call bad address syntax is refused at once.
bool Session::is_bad_domain(std::string_view address) const
{
    const auto parts = mail::split_address(address);
    if (!parts.has_domain) return false;
    std::string_view domain = parts.domain;
    if (domain.empty()) return !parts.local.empty() && !options_.accepts_null_domain;
    if (domain.starts_with('[')) return !mail::is_valid_address_literal(domain);
    if (options_.accepts_numeric_domain && net::parse_address(domain)) return false;
    if (base::is_ascii(domain)) return !mail::is_valid_hostname(domain);
    return !options_.has_smtputf8 || !mail::to_ascii_domain(domain);
}

bool Session::accept_address(std::string_view verb, std::string_view text, std::string& address, bool is_parsed,
                             const smtp::Reply& otherwise)
{
    // "user@example.com." is the same domain said in full.
    if (is_parsed && address.ends_with('.') && address.find('@') != std::string::npos && !address.ends_with("@."))
        address.pop_back();
    // Programs might take it for an option; and "user@@domain" has a domain that is empty.
    const bool is_odd = (address.starts_with('-') && !options_.accepts_leading_dash)
        || (!options_.accepts_double_at && text.find('"') == text.npos && text.find("@@") != text.npos);
    if (is_parsed && !is_odd && !is_bad_domain(address)) return true;
    note_trouble(trouble_protocol);
    log_.warning("Illegal address syntax from {} in {} command: {}", label_, verb,
                 base::printable(text.substr(0, 2048)));
    say(otherwise);
    return false;
}

void Session::log_reject(std::string_view verb, const smtp::Reply& reply)
{
    smtp::Reply shown = reply;
    if (options_.is_soft_bounce && shown.code >= 500) {
        shown.code -= 100;
        if (shown.enhanced.starts_with('5')) shown.enhanced[0] = '4';
    }
    log_reject(verb, smtp::one_line(shown));
}

void Session::log_reject(std::string_view verb, std::string_view what)
{
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    std::string context;
    if (facts_.has_sender) context += " from=<" + mail::log_address(facts_.sender) + ">";
    if (!facts_.recipient.empty()) context += " to=<" + mail::log_address(facts_.recipient) + ">";
    context += " proto=" + facts_.protocol;
    if (!facts_.helo_name.empty()) context += " helo=<" + facts_.helo_name + ">";
    log_.info("{}: reject: {} from {}: {};{}", queue_name(), verb, label_, what, context);
}

Task<bool> Session::on_mail(smtp::Command command)
{
    if (options_.requires_helo && facts_.helo_name.empty())
        co_return refuse(503, "5.5.1", "Error: send HELO/EHLO first");
    if (facts_.has_sender) co_return refuse(503, "5.5.1", "Error: nested MAIL command");
    if (transaction_.chunking != Transaction::Chunking::none) co_return refuse(503, "5.5.1", "Error: MAIL after BDAT");
    smtp::Path path = smtp::parse_path(command.arguments, "FROM", options_.is_strict);
    if (path.problem == smtp::Path::Problem::bad_command) co_return refuse(501, "5.5.4", "Syntax: MAIL FROM:<address>");

    if (refuse_excess_message()) co_return false;
    // Half as much again, because what is being received now is not on the disk yet.
    const auto& store = service_->intake->store();
    if (!store.has_space_for(options_.message_size_limit + options_.message_size_limit / 2)) {
        const smtp::Reply reply(452, "4.3.1", "Insufficient system storage");
        log_reject("MAIL", reply);
        note_trouble(trouble_resource);
        log_.warning("not enough free space in mail queue: {} bytes < 1.5*message size limit", store.free_space());
        say(reply);
        co_return false;
    }
    const smtp::Reply bad_address(501, "5.1.7", "Bad sender address syntax");
    if (path.problem == smtp::Path::Problem::unclosed) {
        note_trouble(trouble_protocol);
        say(bad_address);
        co_return false;
    }
    if (!accept_address("MAIL", path.text, path.address, path.problem == smtp::Path::Problem::none, bad_address))
        co_return false;

    const smtp::ParameterRules rules{.with_dsn = (offer_ & smtp::ext_dsn) != 0,
                                     .with_smtputf8 = (offer_ & smtp::ext_smtputf8) != 0,
                                     .with_verp = may_verp_,
                                     .verp_delimiters = options_.verp_delimiters,
                                     .verp_filter = options_.verp_filter};
    auto parameters = smtp::parse_mail_parameters(path, rules);
    if (!parameters) {
        say(std::move(parameters).error());
        co_return false;
    }
    if (!base::is_ascii(path.address)) {
        if (options_.is_strict_smtputf8 && !parameters->is_smtputf8)
            co_return refuse(553, "5.6.7", "Must declare SMTPUTF8 to send unicode address");
        if (options_.has_smtputf8 && !base::is_valid_utf8(path.address)) {
            say(bad_address);
            co_return false;
        }
    }

    facts_.sender = std::move(path.address);
    facts_.has_sender = true;
    facts_.message_size = parameters->size;
    // Whom the client names is shown as he says it; it gives him nothing.
    if (service_->logins && parameters->auth != "<>") facts_.sasl_sender = parameters->auth;
    facts_.is_smtputf8 = parameters->is_smtputf8;
    transaction_.parameters = std::move(*parameters);
    if (options_.message_size_limit > 0 && facts_.message_size > options_.message_size_limit) {
        const smtp::Reply reply(552, "5.3.4", "Message size exceeds fixed limit");
        note_trouble(trouble_policy);
        log_reject("MAIL", reply);
        say(reply);
        reset_transaction();
        co_return false;
    }
    // One counter for all cores: policy servers tell messages apart by it.
    static std::atomic<std::uint32_t> serial{0};
    facts_.instance =
        fmt::format("{:x}.{:x}.{:x}.0", static_cast<unsigned>(::getpid()), base::to_seconds(base::wall_now()),
                    serial.fetch_add(1, std::memory_order_relaxed) + 1);
    Verdict verdict;
    if (service_->policy->has_rules_at(Stage::mail))
        verdict = co_await service_->policy->evaluate(Stage::mail, facts_);
    if (verdict.action == Verdict::Action::reject) {
        reset_transaction();
        co_return refuse(std::move(verdict));
    }
    transaction_.remember(verdict);
    if (milters_) {
        verdict = co_await milters_->mail(path);
        if (verdict.action == Verdict::Action::reject) {
            reset_transaction();
            co_return refuse(std::move(verdict));
        }
        transaction_.remember(verdict);
    }
    facts_.is_held = transaction_.holds;
    say(250, "2.1.0", "Ok");
    co_return true;
}

Task<bool> Session::on_rcpt(smtp::Command command)
{
    if (transaction_.chunking != Transaction::Chunking::none) co_return refuse(503, "5.5.1", "Error: RCPT after BDAT");
    if (!facts_.has_sender) co_return refuse(503, "5.5.1", "Error: need MAIL command");
    smtp::Path path = smtp::parse_path(command.arguments, "TO", options_.is_strict);
    if (path.problem == smtp::Path::Problem::bad_command) co_return refuse(501, "5.5.4", "Syntax: RCPT TO:<address>");

    if (refuse_excess_recipient()) co_return false;
    const smtp::Reply bad_address(501, "5.1.3", "Bad recipient address syntax");
    if (path.problem == smtp::Path::Problem::unclosed) {
        note_trouble(trouble_protocol);
        say(bad_address);
        co_return false;
    }
    const bool is_parsed = path.problem == smtp::Path::Problem::none && !path.address.empty();
    if (!accept_address("RCPT", path.text, path.address, is_parsed, bad_address)) co_return false;

    std::string_view unknown_notify;
    auto parameters =
        smtp::parse_recipient_parameters(path, {.with_dsn = (offer_ & smtp::ext_dsn) != 0}, unknown_notify);
    if (!parameters) {
        if (!unknown_notify.empty()) {
            log_.warning("unknown DSN NOTIFY command value \"{0}\" in \"{0}\"",
                         base::printable(unknown_notify.substr(0, 100)));
        }
        say(std::move(parameters).error());
        co_return false;
    }
    if (!base::is_ascii(path.address) && options_.is_strict_smtputf8 && !facts_.is_smtputf8) {
        co_return refuse(553, "5.6.7", "Must declare SMTPUTF8 to send unicode address");
    }
    if (options_.recipient_limit > 0 && transaction_.recipients >= options_.recipient_limit) {
        // A sender with a long list comes back with the rest; only one that does not stop is an error.
        note_trouble(trouble_policy);
        say(452, "4.5.3", "Error: too many recipients");
        co_return transaction_.overshoot++ < options_.recipient_overshoot_limit;
    }

    facts_.recipient = std::move(path.address);
    // What is thrown away is refused to nobody.
    Verdict verdict;
    if (!transaction_.discards) verdict = co_await service_->policy->evaluate(Stage::rcpt, facts_);
    if (milters_ && verdict.action == Verdict::Action::reject) {
        if (milters_->wants_rejected_recipients()) co_await milters_->rejected_rcpt(path, verdict.reply);
    } else if (milters_) {
        transaction_.remember(verdict);
        verdict = co_await milters_->rcpt(path);
    }
    if (verdict.action == Verdict::Action::reject) {
        facts_.recipient.clear();
        co_return refuse(std::move(verdict));
    }
    transaction_.remember(verdict);
    facts_.is_held = transaction_.holds;
    if (!transaction_.draft) co_await open_draft();

    mail::Recipient recipient;
    recipient.address = facts_.recipient;
    recipient.notify = parameters->notify;
    recipient.dsn_original = std::move(parameters->original);
    if (recipient.dsn_original.empty()) {
        // As it was said, where that is no more than the address.
        std::string_view said = path.text;
        if (said.starts_with('<')) said = base::trim(said.substr(1, said.size() - 2));
        const bool is_plain = said.find_first_of("(<>") == said.npos && !said.starts_with('@');
        recipient.dsn_original = (base::is_ascii(facts_.recipient) ? "rfc822;" : "utf-8;") +
                                 (is_plain ? std::string(said) : mail::quote_address(facts_.recipient));
    }
    transaction_.draft->add_recipient(std::move(recipient));
    ++transaction_.recipients;
    facts_.recipient_count = transaction_.recipients;
    facts_.recipients.push_back(std::move(facts_.recipient));
    facts_.recipient.clear();
    say(250, "2.1.5", "Ok");
    co_return true;
}

// The message exists from its first recipient on: it has an id, and the log says whose it is.
Task<void> Session::open_draft()
{
    // Who logs in may become one.
    if (!is_local_client_ || !facts_.sasl_username.empty())
        is_local_client_ = co_await options_.local_clients.match(facts_);
    rewrite::DraftOptions draft_options;
    draft_options.source = rewrite::Source::smtpd;
    draft_options.hostname = options_.hostname;
    draft_options.shows_login = options_.shows_login;
    draft_options.hides_client = options_.hides_client;
    mail::Origin& origin = draft_options.origin;
    origin.client_name = facts_.client_name;
    origin.reverse_name = facts_.reverse_client_name;
    origin.client_address = net::format_address(facts_.client_address);
    origin.client_port = std::to_string(facts_.client_port);
    origin.server_address = net::format_address(facts_.server_address);
    origin.server_port = std::to_string(facts_.server_port);
    // A client that never introduced itself is called by its own name, as Postfix does in the Received line.
    origin.helo_name = facts_.helo_name.empty() ? facts_.client_name : facts_.helo_name;
    origin.protocol = facts_.protocol;
    if (tls_ && facts_.protocol == "ESMTP") draft_options.protocol_suffix += "S";
    if (!facts_.sasl_username.empty() && facts_.protocol == "ESMTP") draft_options.protocol_suffix += "A";
    if (tls_ && options_.tls.has_received_comment) draft_options.tls_comment = tls::received_comment(tls_->summary());
    origin.sasl_method = facts_.sasl_method;
    origin.sasl_username = facts_.sasl_username;
    origin.sasl_sender = facts_.sasl_sender;
    origin.rewrite_context = *is_local_client_ ? "local" : "remote";
    if (forwarded_ && !forwarded_->source.empty()) origin.rewrite_context = forwarded_->source;
    draft_options.expands_aliases = options_.maps_addresses;
    draft_options.checks_content = options_.checks_content;
    draft_options.size_limit = options_.message_size_limit;
    transaction_.draft.emplace(service_->intake->open(std::move(draft_options)));

    auto& draft = *transaction_.draft;
    draft.set_sender(facts_.sender);
    auto& envelope = draft.envelope();
    envelope.body = transaction_.parameters.body;
    envelope.is_smtputf8 = transaction_.parameters.is_smtputf8;
    envelope.dsn_return = transaction_.parameters.dsn_return;
    envelope.dsn_envid = transaction_.parameters.envid;
    envelope.verp_delimiters = transaction_.parameters.verp_delimiters;
    facts_.queue_id = mail::format(draft.id());
    std::string line = facts_.queue_id + ": client=" + label_;
    if (forwarded_ && !forwarded_->ident.empty()) line += ", orig_queue_id=" + forwarded_->ident;
    if (forwarded_) {
        auto shown = [](const std::string& text) { return text.empty() ? std::string("unknown") : text; };
        line += ", orig_client=" + shown(forwarded_->name) + "[" + shown(forwarded_->address) + "]";
    }
    if (!facts_.sasl_method.empty()) line += ", sasl_method=" + facts_.sasl_method;
    if (!facts_.sasl_username.empty()) line += ", sasl_username=" + facts_.sasl_username;
    if (!facts_.sasl_sender.empty()) line += ", sasl_sender=" + facts_.sasl_sender;
    log_.info("{}", line);
}

Task<bool> Session::on_rset(smtp::Command command)
{
    if (!command.arguments.empty()) co_return refuse(501, "5.5.4", "Syntax: RSET");
    reset_transaction();
    forwarded_.reset();
    transcript_.forget_beyond(options_.history_limit);
    say(250, "2.0.0", "Ok");
    co_return true;
}

}  // namespace ekiden::receive
