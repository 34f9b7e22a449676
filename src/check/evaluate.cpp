#include "base/text.hpp"
#include "base/watcher.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"

#include <algorithm>

namespace ekiden::check {

Step do_permit(Evaluation&, const Restriction&) { return Step::permit; }

Step do_reject(Evaluation& evaluation, const Restriction&)
{
    return refuse(evaluation,
                  rejected(evaluation, evaluation.subject, evaluation.options().reject_code, "5.7.1", "Access denied"));
}

Step do_defer(Evaluation& evaluation, const Restriction&)
{
    return refuse(evaluation, rejected(evaluation, evaluation.subject, evaluation.options().defer_code, "4.3.2",
                                       "Try again later"));
}

Step do_defer_if_permit(Evaluation& evaluation, const Restriction&)
{
    return defer_if_permit(evaluation,
                           rejected(evaluation, evaluation.subject, 450, "4.7.0", "defer_if_permit requested"));
}

Step do_defer_if_reject(Evaluation& evaluation, const Restriction&)
{
    return defer_if_reject(evaluation,
                           rejected(evaluation, evaluation.subject, 450, "4.7.0", "defer_if_reject requested"));
}

// A prefix, handled by run_list; alone at the end of a list it does nothing.
Step do_warn_if_reject(Evaluation&, const Restriction&) { return Step::dunno; }

Task<Step> do_sleep(Evaluation&, const Restriction& restriction)
{
    constexpr int longest = 300;   // seconds; a typing slip must not hold sessions for days
    const int seconds = base::parse_number<int>(restriction.argument).value_or(0);
    co_await net::sleep_for(std::chrono::seconds(std::clamp(seconds, 0, longest)));
    co_return Step::dunno;
}

namespace {

Step refuse_flawed(Evaluation& evaluation, const Restriction& restriction)
{
    if (restriction.flaw.empty()) evaluation.data.logger.warning("unknown smtpd restriction: \"{}\"", restriction.name);
    else evaluation.data.logger.warning("{}", restriction.flaw);
    return refuse(evaluation, configuration_error());
}

bool is_warn_if_reject(const Restriction& restriction)
{
    return restriction.row && restriction.row->at_once == do_warn_if_reject;
}

bool ends_list(const Restriction& restriction)
{
    return restriction.row && (restriction.row->at_once == do_permit || restriction.row->at_once == do_reject ||
                               restriction.row->at_once == do_defer);
}

// Old names are said once; Postfix's words where it has some. (Names that were only changed are silent in Postfix.)
void complain_about_old_name(const Evaluation& evaluation, const Restriction& restriction)
{
    const std::string_view name = restriction.row->name, modern = restriction.row->modern_name;
    if (name == "permit_naked_ip_address") {
        evaluation.data.logger.warning(
            "restriction permit_naked_ip_address is deprecated. Use permit_mynetworks or permit_sasl_authenticated instead");
    } else if (name == "check_relay_domains" || name == "reject_maps_rbl") {
        evaluation.data.warn_once(
            name, fmt::format("support for restriction \"{}\" will be removed from Postfix; use \"{}\" instead", name,
                              modern));
    } else {
        evaluation.data.warn_once(name,
                                  fmt::format("restriction \"{}\" is an old name; use \"{}\" instead", name, modern));
    }
}

// Whom a permit is about, for its log line.
Subject permit_subject(const Restriction& restriction, Subject subject)
{
    const std::string_view name = restriction.row->name;
    if (name == "permit_auth_destination" || name == "permit_mx_backup" || name == "check_relay_domains")
        return Subject::recipient;
    return name.starts_with("permit_") ? Subject::client : subject;
}

// The lists of main.cf by name; nothing for a class, or for what a table names.
std::string_view parameter_of(const Policy::Data& data, const List& list)
{
    const std::pair<const List*, std::string_view> rows[] = {
        {&data.client, "smtpd_client_restrictions"},       {&data.helo, "smtpd_helo_restrictions"}, {&data.sender, "smtpd_sender_restrictions"},
        {&data.relay, "smtpd_relay_restrictions"},         {&data.recipient, "smtpd_recipient_restrictions"},
        {&data.data, "smtpd_data_restrictions"},           {&data.end_of_data, "smtpd_end_of_data_restrictions"},
        {&data.etrn, "smtpd_etrn_restrictions"},
    };
    const auto row = std::ranges::find(rows, &list, [](const auto& entry) { return entry.first; });
    return row == std::end(rows) ? std::string_view() : row->second;
}

std::string_view name_of(Step step)
{
    return step == Step::permit ? "permit" : step == Step::reject ? "reject" : "dunno";
}

// Whether whoever watches wants it left out, and has been told.
bool is_left_out(base::Watcher* watcher, const Restriction& restriction)
{
    if (!watcher || !restriction.row || watcher->permits("restriction", restriction.name)) return false;
    watcher->note("left out", restriction.name, {}, restriction.argument);
    return true;
}

}  // namespace

Task<Step> run_list(Evaluation& evaluation, const List& list, Subject subject)
{
    // Classes and table answers may name classes again; a loop in a configuration must end.
    if (evaluation.depth >= deepest_nesting) {
        evaluation.data.logger.warning("restriction nesting is deeper than {}", deepest_nesting);
        co_return refuse(evaluation, configuration_error());
    }
    ++evaluation.depth;
    base::Watcher* const watcher = base::watcher();
    const std::string_view parameter = watcher ? parameter_of(evaluation.data, list) : std::string_view();
    if (!parameter.empty()) watcher->enter("list", parameter, {});
    const Subject outer_subject = std::exchange(evaluation.subject, subject);
    const bool outer_warns = evaluation.only_warns;
    Step step = Step::dunno;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const Restriction& restriction = list[i];
        if (is_warn_if_reject(restriction)) {
            evaluation.only_warns = true;
            continue;
        }
        evaluation.ahead = std::span(list).subspan(i);
        if (watcher)
            watcher->enter(restriction.members ? "class" : "restriction", restriction.name, restriction.argument);
        if (is_left_out(watcher, restriction)) step = Step::dunno;
        else if (restriction.members) step = co_await run_list(evaluation, *restriction.members, subject);
        else if (!restriction.row || !restriction.flaw.empty()) step = refuse_flawed(evaluation, restriction);
        else {
            if (restriction.row->support == Support::obsolete) complain_about_old_name(evaluation, restriction);
            step = restriction.row->at_once ? restriction.row->at_once(evaluation, restriction)
                                            : co_await restriction.row->awaiting(evaluation, restriction);
            // Tables log what they said themselves.
            const Argument argument = restriction.row->argument;
            if (step == Step::permit && argument != Argument::table && argument != Argument::certificate_table &&
                argument != Argument::service)
                co_await log_permit(evaluation, restriction.name, permit_subject(restriction, subject));
        }
        if (i + 1 < list.size() && ends_list(restriction) && !evaluation.only_warns)
            evaluation.data.logger.warning("restriction `{}' after `{}' is ignored", list[i + 1].name,
                                           restriction.row->name);
        if (watcher) watcher->leave(name_of(step));
        evaluation.only_warns = outer_warns;
        if (step != Step::dunno) break;
    }
    evaluation.only_warns = outer_warns;
    evaluation.subject = outer_subject;
    --evaluation.depth;
    if (!parameter.empty()) watcher->leave(name_of(step));
    co_return step;
}

namespace {

// Trouble in a list may have kept an earlier check from refusing: then the request is deferred, not permitted.
Step settle_deferral(Evaluation& evaluation, Step step)
{
    if (step == Step::reject || !evaluation.defer_if_permit) return step;
    Refusal refusal = std::move(*evaluation.defer_if_permit);
    evaluation.defer_if_permit.reset();
    evaluation.only_warns = false;
    return refuse(evaluation, std::move(refusal));
}

// What smtpd_reject_unlisted_recipient and …_sender add behind the lists.
Task<Step> run_unlisted(Evaluation& evaluation, Subject subject)
{
    base::Watcher* const watcher = base::watcher();
    if (watcher)
        watcher->enter("list",
                       subject == Subject::sender ? "smtpd_reject_unlisted_sender" : "smtpd_reject_unlisted_recipient",
                       {});
    const Step step = co_await check_unlisted(evaluation, subject);
    if (watcher) watcher->leave(name_of(step));
    co_return step;
}

Task<Step> run_sender(Evaluation& evaluation)
{
    const Policy::Data& data = evaluation.data;
    Step step = co_await run_list(evaluation, data.sender, Subject::sender);
    if (step != Step::reject && data.options.checks_senders && !evaluation.has_checked_sender &&
        !evaluation.verdict.discards)
        step = co_await run_unlisted(evaluation, Subject::sender);
    co_return step;
}

// What smtpd_delay_reject put off until now.
Task<Step> run_delayed(Evaluation& evaluation)
{
    const Policy::Data& data = evaluation.data;
    if (!data.options.delays_reject) co_return Step::dunno;
    // A DEFER_IF_REJECT is about the refusals of its own list; only relay and recipient lists share theirs.
    Step step = co_await run_list(evaluation, data.client, Subject::client);
    evaluation.defer_if_reject.reset();
    if (step != Step::reject && !evaluation.facts.helo_name.empty())
        step = co_await run_list(evaluation, data.helo, Subject::helo);
    evaluation.defer_if_reject.reset();
    if (step != Step::reject && evaluation.facts.has_sender) step = co_await run_sender(evaluation);
    evaluation.defer_if_reject.reset();
    co_return step;
}

// smtpd_delay_reject = no: a list that runs at its own stage. Its DEFER_IF_PERMIT cannot be due yet, since RCPT may still
// refuse: it is kept for then.
Step put_off(Evaluation& evaluation, Step step, std::optional<Facts::Deferral>& memory)
{
    memory.reset();
    if (step == Step::reject || !evaluation.defer_if_permit) return step;
    Refusal& refusal = *evaluation.defer_if_permit;
    memory.emplace(Facts::Deferral{refusal.code, std::move(refusal.enhanced), std::move(refusal.text)});
    evaluation.defer_if_permit.reset();
    return step;
}

// What RCPT owes; VRFY without MAIL owes nothing yet, and ETRN needs no MAIL.
void recall_deferral(Evaluation& evaluation)
{
    const Facts& facts = evaluation.facts;
    const bool is_etrn = evaluation.stage == Stage::etrn;
    if (evaluation.options().delays_reject || (!is_etrn && !facts.has_sender)) return;
    for (const auto* memory : {&facts.client_deferral, facts.helo_name.empty() ? nullptr : &facts.helo_deferral,
                               is_etrn ? nullptr : &facts.sender_deferral}) {
        if (!memory || !*memory || evaluation.defer_if_permit) continue;
        evaluation.defer_if_permit = Refusal{Fault::policy, (*memory)->code, (*memory)->enhanced, (*memory)->text};
    }
}

// RCPT and VRFY. Relay control stands before the recipient restrictions, so that a permit among those cannot open the
// relay; both lists must let the recipient pass.
Task<Step> run_recipient(Evaluation& evaluation)
{
    const Policy::Data& data = evaluation.data;
    // Whoever looks after this machine can be told (RFC 5321 4.5.1).
    if (base::equal_ignoring_case(evaluation.facts.recipient, "postmaster")) co_return Step::permit;
    Step step = co_await run_delayed(evaluation);
    recall_deferral(evaluation);
    const List* const first = data.options.relays_first ? &data.relay : &data.recipient;
    const List* const second = data.options.relays_first ? &data.recipient : &data.relay;
    if (step != Step::reject) step = co_await run_list(evaluation, *first, Subject::recipient);
    if (step != Step::reject) step = co_await run_list(evaluation, *second, Subject::recipient);
    step = settle_deferral(evaluation, step);
    if (step != Step::reject && data.options.checks_recipients && !evaluation.has_checked_recipient &&
        !evaluation.verdict.discards)
        step = co_await run_unlisted(evaluation, Subject::recipient);
    co_return settle_deferral(evaluation, step);
}

}  // namespace

bool Policy::has_rules_at(Stage stage) const
{
    const bool is_delayed = stage == Stage::connect || stage == Stage::helo || stage == Stage::mail;
    return !is_delayed || !data_->options.delays_reject;
}

Task<Verdict> Policy::evaluate(Stage stage, const Facts& facts) const
{
    const std::shared_ptr<const Data> keep = data_;
    const Data& data = *keep;
    Evaluation evaluation(data, facts, stage);
    Step step = Step::dunno;
    switch (stage) {
        case Stage::connect:
            if (!data.options.delays_reject)
                step = put_off(evaluation, co_await run_list(evaluation, data.client, Subject::client),
                               facts.client_deferral);
            break;
        case Stage::helo:
            if (!data.options.delays_reject)
                step =
                    put_off(evaluation, co_await run_list(evaluation, data.helo, Subject::helo), facts.helo_deferral);
            break;
        case Stage::mail:
            if (!data.options.delays_reject)
                step = put_off(evaluation, co_await run_sender(evaluation), facts.sender_deferral);
            break;
        case Stage::rcpt:
        case Stage::vrfy: step = co_await run_recipient(evaluation); break;
        case Stage::data: step = co_await run_list(evaluation, data.data, Subject::data); break;
        case Stage::end_of_data: step = co_await run_list(evaluation, data.end_of_data, Subject::end_of_data); break;
        case Stage::etrn:
            step = co_await run_delayed(evaluation);
            recall_deferral(evaluation);
            if (step != Step::reject) step = co_await run_list(evaluation, data.etrn, Subject::etrn);
            break;
    }
    settle_deferral(evaluation, step);
    co_return std::move(evaluation.verdict);
}

Task<const Result<rewrite::Route>*> recipient_route(Evaluation& evaluation)
{
    if (!evaluation.recipient_route) {
        std::string sender = evaluation.facts.sender;
        std::string recipient = evaluation.facts.recipient;
        evaluation.recipient_route =
            co_await evaluation.data.resolver->resolve(std::move(sender), std::move(recipient));
    }
    co_return &*evaluation.recipient_route;
}

Task<const Result<rewrite::Route>*> sender_route(Evaluation& evaluation)
{
    if (!evaluation.sender_route) {
        std::string sender = evaluation.facts.sender;
        evaluation.sender_route = co_await evaluation.data.resolver->resolve(std::string(), std::move(sender));
    }
    co_return &*evaluation.sender_route;
}

}  // namespace ekiden::check
