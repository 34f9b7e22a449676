#include "schedule/settle.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "report/delivery_log.hpp"

#include <map>

namespace ekiden::schedule {

using deliver::Outcome;

// A success that the sender wants to hear of, and that nobody else tells him.
bool Settler::is_report_due(const mail::Recipient& recipient, const Outcome& outcome,
                            const ActiveMessage& message) const
{
    // He was told of the delay, so he hears that it is over (confirm_delay_cleared).
    if (policy_.confirms_delay_cleared && message.was_warned && !(recipient.notify & mail::notify_never)) return true;
    return (recipient.notify & mail::notify_success) && !outcome.is_reported_by_peer;
}

void Settler::record(const deliver::Job& job, std::vector<Outcome> outcomes, const Logger& logger,
                     ActiveMessage& message) const
{
    const bool only_asks = job.envelope->only_asks();
    std::size_t settled = 0;
    for (Outcome& outcome : outcomes) {
        if (policy_.is_soft_bounce && outcome.kind == Outcome::Kind::bounced && !only_asks) {
            outcome.kind = Outcome::Kind::deferred;
            outcome.is_softened = true;
            if (outcome.status.is_permanent()) outcome.status.code[0] = '4';
        }
        if (outcome.role == Outcome::Role::told) {
            if (is_report_due(job.envelope->recipients[outcome.recipient], outcome, message))
                message.reported.push_back(std::move(outcome));
            continue;
        }
        if (outcome.log_name.empty()) report::log_delivery(logger, job, outcome, policy_.delay_digits);
        else report::log_delivery(Logger(outcome.log_name), job, outcome, policy_.delay_digits);

        if (message.is_traced) message.traced.push_back(outcome);
        if (only_asks) {
            settled += outcome.role == Outcome::Role::settles;
            continue;
        }
        // Members of an alias have fates of their own; the recipient as the queue knows it is settled by one outcome.
        if (outcome.role == Outcome::Role::logged) continue;
        bool settles = outcome.role == Outcome::Role::settles;
        if (settles) ++settled;
        switch (outcome.kind) {
        case Outcome::Kind::delivered:
            if (settles) message.done.push_back(outcome.recipient);
            if (is_report_due(job.envelope->recipients[outcome.recipient], outcome, message))
                message.reported.push_back(std::move(outcome));
            break;
        case Outcome::Kind::bounced: message.failed.push_back(std::move(outcome)); break;
        case Outcome::Kind::deferred: message.waiting.push_back(std::move(outcome)); break;
        }
    }
    message.unsettled -= std::min(message.unsettled, settled);

    // Others of this message are still on their way, perhaps for minutes: mark what is done now, so that a crash does
    // not deliver it again.
    if (message.unsettled > 0 && !message.done.empty()) {
        queue::Settlement marks;
        marks.id = message.envelope->id;
        marks.done = std::exchange(message.done, {});
        store_.settle(std::move(marks));
    }
}

bool Settler::has_expired(const ActiveMessage& message, WallTime now) const
{
    auto lifetime = message.envelope->sender.empty() ? policy_.bounce_queue_lifetime : policy_.maximal_queue_lifetime;
    return message.is_expired || now - message.envelope->arrived_at >= lifetime;
}

Task<void> Settler::bounce_failed(ActivePtr message) const
{
    std::vector<Outcome> failed = std::exchange(message->failed, {});
    // One report for all; with VERP, one for each recipient, to the sender address that is his alone.
    const bool is_split = policy_.bounces_one_by_one && !message->envelope->verp_delimiters.empty();
    std::map<std::uint32_t, std::vector<Outcome>> reports;
    for (Outcome& outcome : failed) reports[is_split ? outcome.recipient : 0].push_back(std::move(outcome));
    for (auto& [recipient, outcomes] : reports) {
        queue::EnvelopePtr envelope = message->envelope;
        std::vector<Outcome> told = outcomes;
        if (is_split) {
            envelope = message->envelope_for(recipient);
            for (Outcome& outcome : told) outcome.recipient = 0;
        }
        auto bounced = co_await bouncer_->bounce(std::move(envelope), message->content, std::move(told));
        if (!bounced) policy_.qmgr.info("{}: status=deferred (bounce failed)", format(message->envelope->id));
        for (Outcome& outcome : outcomes) {
            if (outcome.role != Outcome::Role::settles) continue;
            if (bounced) {
                message->done.push_back(outcome.recipient);
                continue;
            }
            // The report could not be queued: the recipient stays, and both are tried again.
            outcome.kind = Outcome::Kind::deferred;
            message->waiting.push_back(std::move(outcome));
        }
    }
}

// An address may have become several, or have been tried in several ways: one that works is enough, and of failures the
// one that will last.
void Settler::tell_verifier(const ActiveMessage& message) const
{
    std::map<std::string, const Outcome*> answers;
    const auto rank = [](const Outcome& outcome) {
        return outcome.kind == Outcome::Kind::delivered ? 2 : outcome.kind == Outcome::Kind::bounced ? 1 : 0;
    };
    for (const Outcome& outcome : message.traced) {
        const mail::Recipient& recipient = message.envelope->recipients[outcome.recipient];
        // Who writes to the address behind an alias need not wait for another probe.
        for (const std::string* address : {&recipient.original, &recipient.address}) {
            if (address->empty()) continue;
            const Outcome*& best = answers[*address];
            if (!best || rank(outcome) > rank(*best)) best = &outcome;
        }
    }
    for (const auto& [address, outcome] : answers) {
        const auto standing = outcome->kind == Outcome::Kind::delivered ? verify::Standing::deliverable
                              : outcome->kind == Outcome::Kind::bounced ? verify::Standing::undeliverable
                                                                        : verify::Standing::deferred;
        verifier_->learn(address, standing, outcome->status.text);
    }
}

Task<std::optional<WallTime>> Settler::finish_asking(ActivePtr message) const
{
    const queue::EnvelopePtr& envelope = message->envelope;
    if (message->is_withdrawn) co_return std::nullopt;
    if (envelope->purpose == mail::Purpose::probe) {
        if (verifier_) tell_verifier(*message);
    } else if (!message->traced.empty()) {
        std::vector<Outcome> traced = message->traced;
        if (auto sent = co_await bouncer_->report_status(envelope, message->content, std::move(traced)); !sent) {
            policy_.qmgr.warning("{}: delivery status notification failed: {}", format(envelope->id),
                                 sent.error().text());
            if (!has_expired(*message, base::wall_now())) {
                // Asked once more, and told then.
                queue::Settlement settlement;
                settlement.id = envelope->id;
                settlement.next_attempt_at = next_attempt(envelope->arrived_at, base::wall_now(), policy_.backoff, 0.5);
                for (std::uint32_t i = 0; i < envelope->recipients.size(); ++i) {
                    settlement.deferred.push_back(queue::Pending{i, {"4.3.0", "delivery status notification failed"}});
                }
                const WallTime again = settlement.next_attempt_at;
                store_.settle(std::move(settlement));
                co_return again;
            }
        }
    }
    store_.remove(envelope->id);
    report::log_removed(policy_.qmgr, envelope->id);
    co_return std::nullopt;
}

// The time is up: who waits has failed.
Task<void> Settler::expire(ActivePtr message) const
{
    // What failed by itself is told by itself, as it is when the rest still waits.
    if (!message->failed.empty()) co_await bounce_failed(message);
    report::log_expired(policy_.qmgr, *message->envelope, message->is_expired);
    for (Outcome& outcome : message->waiting) {
        outcome.kind = Outcome::Kind::bounced;
        message->failed.push_back(std::move(outcome));
    }
    message->waiting.clear();
}

// What the sender asked to hear of deliveries that went well.
Task<void> Settler::notify(ActivePtr message) const
{
    const queue::EnvelopePtr& envelope = message->envelope;
    const auto warn_unless = [&](const auto& sent) {
        if (!sent)
            policy_.qmgr.warning("{}: delivery status notification failed: {}", format(envelope->id),
                                 sent.error().text());
    };
    if (!message->reported.empty()) {
        std::vector<Outcome> reported = std::exchange(message->reported, {});
        const bool clears_delay = policy_.confirms_delay_cleared && message->was_warned;
        warn_unless(co_await bouncer_->report_success(envelope, message->content, std::move(reported), clears_delay));
    }
    if (!message->traced.empty()) {
        std::vector<Outcome> traced = std::exchange(message->traced, {});
        warn_unless(co_await bouncer_->report_status(envelope, message->content, std::move(traced)));
    }
}

Task<void> Settler::warn_delayed(ActivePtr message) const
{
    std::vector<Outcome> waiting = message->waiting;
    auto warned = co_await bouncer_->warn_delayed(message->envelope, message->content, std::move(waiting));
    message->was_warned = warned.has_value();
    if (!warned)
        policy_.qmgr.warning("{}: delay notification failed: {}", format(message->envelope->id), warned.error().text());
}

void Settler::keep_marks(ActiveMessage& message) const
{
    if (message.is_removed || message.done.empty()) return;
    queue::Settlement marks;
    marks.id = message.envelope->id;
    marks.done = std::move(message.done);
    store_.settle(std::move(marks));
}

WallTime Settler::defer(ActiveMessage& message) const
{
    queue::Settlement settlement;
    settlement.id = message.envelope->id;
    settlement.done = std::move(message.done);
    settlement.was_warned = message.was_warned;
    double random = double(base::random_below(1u << 20)) / (1u << 20);
    settlement.next_attempt_at = next_attempt(message.envelope->arrived_at, base::wall_now(), policy_.backoff, random);
    for (const Outcome& outcome : message.waiting) {
        // Output of commands ends in blanks; nobody wants them in the listing.
        settlement.deferred.push_back(queue::Pending{
            outcome.recipient, {outcome.status.code, std::string(base::trim_right(outcome.status.text))}});
    }
    const WallTime again = settlement.next_attempt_at;
    store_.settle(std::move(settlement));
    return again;
}

Task<std::optional<WallTime>> Settler::finish(ActivePtr message) const
{
    const queue::EnvelopePtr& envelope = message->envelope;
    const WallTime now = base::wall_now();
    if (envelope->only_asks()) co_return co_await finish_asking(message);
    if (!message->waiting.empty() && has_expired(*message, now)) co_await expire(message);
    if (!message->failed.empty()) co_await bounce_failed(message);
    if (!message->reported.empty() || !message->traced.empty()) co_await notify(message);

    // Held or removed while it was being delivered: what was done stays done, the rest is the operator's.
    if (message->is_withdrawn) {
        keep_marks(*message);
        co_return std::nullopt;
    }
    if (message->waiting.empty()) {
        store_.remove(envelope->id);
        report::log_removed(policy_.qmgr, envelope->id);
        co_return std::nullopt;
    }
    const bool is_warning_due = policy_.delay_warning_time.count() > 0 && !message->was_warned &&
                                now - envelope->arrived_at >= policy_.delay_warning_time;
    if (is_warning_due) co_await warn_delayed(message);
    co_return defer(*message);
}

}  // namespace ekiden::schedule
