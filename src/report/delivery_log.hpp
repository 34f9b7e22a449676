// The only place that prints the fate of a recipient and a message's way through the queue:
//   QID: to=<…>, orig_to=<…>, relay=…, delay=…, delays=a/b/c/d, dsn=x.y.z, status=sent (…)
//   QID: from=<…>, size=…, nrcpt=… (queue active)      QID: removed
// Log parsers depend on every byte. Pure formatting, then Logger; thread: any.
#pragma once

#include "base/log.hpp"
#include "deliver/agent.hpp"

#include <string>

namespace ekiden::report {

// The line without the queue id, for tests and for DSN code that needs the same words.
std::string format_delivery(const deliver::Job& job, const deliver::Outcome& outcome, int resolution_digits = 2);
// Seconds with at most `digits` significant fraction digits as Postfix rounds them: 0, 0.02, 1.3, 15.
std::string format_delay(Duration delay, int digits = 2);

void log_delivery(const Logger& logger, const deliver::Job& job, const deliver::Outcome& outcome,
                  int resolution_digits = 2);
void log_active(const Logger& qmgr, const mail::Envelope& envelope, std::size_t recipient_count);
void log_removed(const Logger& qmgr, mail::QueueId id);
// `is_forced`: by postsuper -e.
void log_expired(const Logger& qmgr, const mail::Envelope& envelope, bool is_forced);

}  // namespace ekiden::report
