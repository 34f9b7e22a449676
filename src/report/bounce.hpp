// Delivery status notifications (RFC 3464) as Drafts through the one waist. What these Tasks return is durable: the
// caller may drop the original recipients afterwards. An error means the report could not be queued: keep the
// recipients and try later. `nothing` (no value) means that no report is due (null sender, NOTIFY=NEVER…), which was
// logged where Postfix logs it. Immutable; any core.
#pragma once

#include "config/settings.hpp"
#include "deliver/agent.hpp"
#include "rewrite/intake.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace ekiden::report {

class Bouncer {
public:
    static std::shared_ptr<const Bouncer> make(config::SettingsPtr settings,
                                               std::shared_ptr<const rewrite::Intake> intake);

    // Non-delivery: `failed` have Kind::bounced. `active_at` etc. are not needed; arrival comes from the envelope.
    Task<Result<std::optional<mail::QueueId>>> bounce(queue::EnvelopePtr envelope, queue::ContentPtr content,
                                                      std::vector<deliver::Outcome> failed) const;
    // delay_warning_time passed: `waiting` have Kind::deferred.
    Task<Result<std::optional<mail::QueueId>>> warn_delayed(queue::EnvelopePtr envelope, queue::ContentPtr content,
                                                            std::vector<deliver::Outcome> waiting) const;
    // NOTIFY=SUCCESS: `delivered` have Kind::delivered and asked for it. `clears_delay`: whoever was warned of the delay hears
    // of its end, unless he wants to hear of nothing (confirm_delay_cleared).
    Task<Result<std::optional<mail::QueueId>>> report_success(queue::EnvelopePtr envelope, queue::ContentPtr content,
                                                              std::vector<deliver::Outcome> delivered,
                                                              bool clears_delay = false) const;

    // sendmail -v and -bv: what became, or would become, of each recipient ("Mail Delivery Status Report").
    Task<Result<std::optional<mail::QueueId>>> report_status(queue::EnvelopePtr envelope, queue::ContentPtr content,
                                                             std::vector<deliver::Outcome> outcomes) const;

    struct Data;
    explicit Bouncer(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

private:
    std::shared_ptr<const Data> data_;
};

}  // namespace ekiden::report
