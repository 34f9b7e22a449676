// Local mail that will never be accepted (too large, a header check, too many hops): its sender learns it from a bounce,
// as cleanup(8) makes one for pickup(8). The content stays out of it: what was refused is not sent on.
#pragma once

#include "mail/envelope.hpp"
#include "report/bounce.hpp"
#include "rewrite/intake.hpp"

#include <memory>

namespace ekiden::daemon {

// True when the bounce is durable, or none is due: the maildrop file may go. `log` is told the fate of each recipient.
Task<bool> bounce_refused_mail(std::shared_ptr<const report::Bouncer> bouncer, mail::Envelope envelope,
                               rewrite::Refusal why, std::shared_ptr<const rewrite::Intake> intake, Logger log);

}  // namespace ekiden::daemon
