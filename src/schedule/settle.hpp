// The only room that decides the fate of recipients: outcomes → marks, deferral, bounce, removal.
//
// Delivered and bounced recipients are marked in the log; a bounce is committed before its recipients are marked done,
// so a crash in between bounces twice rather than never. A message leaves the queue when nobody is left. Runs on the
// scheduler's core.
#pragma once

#include "report/bounce.hpp"
#include "schedule/backoff.hpp"
#include "schedule/destination.hpp"
#include "verify/verifier.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace ekiden::schedule {

struct SettlePolicy {
    BackoffLimits backoff;
    std::chrono::seconds maximal_queue_lifetime{432000};
    std::chrono::seconds bounce_queue_lifetime{432000};   // messages from the null sender
    std::chrono::seconds delay_warning_time{0};           // 0 = no warnings
    bool is_soft_bounce = false;
    bool confirms_delay_cleared = false;
    bool bounces_one_by_one = true;  // VERP mail: a report for each recipient (disable_verp_bounces = no)
    int delay_digits = 2;
    Logger qmgr;
};

class Settler {
public:
    // `verifier` hears what became of probes; null: nobody does.
    Settler(queue::Store& store, std::shared_ptr<const report::Bouncer> bouncer, SettlePolicy policy,
            std::shared_ptr<verify::Verifier> verifier = nullptr)
        : store_(store), bouncer_(std::move(bouncer)), policy_(std::move(policy)), verifier_(std::move(verifier))
    {
    }

    // Logs each outcome and sorts it into the message. The message's attempt is over when unsettled reaches 0.
    void record(const deliver::Job& job, std::vector<deliver::Outcome> outcomes, const Logger& logger,
                ActiveMessage& message) const;

    // The attempt is over: reports, marks, removal or the next attempt. Returns when to try again, or nothing when the
    // message is gone.
    Task<std::optional<WallTime>> finish(ActivePtr message) const;

    const SettlePolicy& policy() const { return policy_; }

private:
    bool is_report_due(const mail::Recipient& recipient, const deliver::Outcome& outcome,
                       const ActiveMessage& message) const;
    bool has_expired(const ActiveMessage& message, WallTime now) const;
    // Messages that only ask: the answer is told, and they are gone.
    Task<std::optional<WallTime>> finish_asking(ActivePtr message) const;
    void tell_verifier(const ActiveMessage& message) const;
    Task<void> bounce_failed(ActivePtr message) const;
    Task<void> expire(ActivePtr message) const;
    Task<void> notify(ActivePtr message) const;
    Task<void> warn_delayed(ActivePtr message) const;
    void keep_marks(ActiveMessage& message) const;
    // Until when.
    WallTime defer(ActiveMessage& message) const;
    queue::Store& store_;
    std::shared_ptr<const report::Bouncer> bouncer_;
    SettlePolicy policy_;
    std::shared_ptr<verify::Verifier> verifier_;
};

}  // namespace ekiden::schedule
