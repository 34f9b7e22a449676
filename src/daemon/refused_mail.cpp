#include "daemon/refused_mail.hpp"

#include "queue/text_content.hpp"
#include "report/delivery_log.hpp"
#include "rewrite/resolve.hpp"

namespace ekiden::daemon {

Task<bool> bounce_refused_mail(std::shared_ptr<const report::Bouncer> bouncer, mail::Envelope envelope,
                               rewrite::Refusal why, std::shared_ptr<const rewrite::Intake> intake, Logger log)
{
    // It was refused before its addresses were looked at.
    const rewrite::Resolver& resolver = intake->resolver();
    envelope.sender = resolver.complete(envelope.sender, "local");
    for (mail::Recipient& recipient : envelope.recipients) {
        std::string complete = resolver.complete(recipient.address, "local");
        if (recipient.original.empty() && complete != recipient.address) recipient.original = recipient.address;
        recipient.address = std::move(complete);
    }
    auto shared = std::make_shared<const mail::Envelope>(std::move(envelope));
    std::vector<deliver::Outcome> failed;
    for (std::uint32_t i = 0; i < shared->recipients.size(); ++i) {
        deliver::Outcome outcome;
        outcome.kind = deliver::Outcome::Kind::bounced;
        outcome.recipient = i;
        outcome.status = why.status;
        // The word is for SMTP clients.
        if (constexpr std::string_view word = "Error: "; outcome.status.text.starts_with(word))
            outcome.status.text.erase(0, word.size());
        outcome.ended_at = base::wall_now();
        failed.push_back(std::move(outcome));
    }
    deliver::Job job;
    job.envelope = shared;
    job.content = queue::text_content("");
    for (const deliver::Outcome& outcome : failed) report::log_delivery(log, job, outcome);
    auto bounced = co_await bouncer->bounce(shared, job.content, std::move(failed));
    co_return bounced.has_value();
}

}  // namespace ekiden::daemon
