#include "report/delivery_log.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"

#include <algorithm>

namespace ekiden::report {
namespace {

Duration between(WallTime from, WallTime to) { return std::max(to - from, Duration::zero()); }

std::string_view status_word(deliver::Outcome::Kind kind, bool only_asks)
{
    if (only_asks) return kind == deliver::Outcome::Kind::delivered ? "deliverable" : "undeliverable";
    switch (kind) {
        case deliver::Outcome::Kind::delivered: return "sent";
        case deliver::Outcome::Kind::deferred: return "deferred";
        case deliver::Outcome::Kind::bounced: return "bounced";
    }
    return "";
}

}  // namespace

// Two significant digits, never finer than the configured resolution, no zeros at the end: a delay of weeks and one of
// a hundredth of a second both say what a person wants to know.
std::string format_delay(Duration delay, int digits)
{
    digits = std::clamp(digits, 0, 6);
    const std::int64_t micros = std::max<std::int64_t>(delay.count(), 0);
    int decimals = 0;
    if (micros < 10'000'000) {
        decimals = 1;
        for (std::int64_t limit = 1'000'000; micros < limit && decimals < 6; limit /= 10) ++decimals;
    }
    decimals = std::min(decimals, digits);
    std::int64_t unit = 1'000'000;
    for (int i = 0; i < decimals; ++i) unit /= 10;
    const std::int64_t rounded = (micros + unit / 2) / unit * unit;
    std::string out = fmt::format("{}", rounded / 1'000'000);
    if (rounded >= 10'000'000) return out;
    std::string fraction = fmt::format("{:06}", rounded % 1'000'000).substr(0, static_cast<std::size_t>(decimals));
    while (fraction.ends_with('0')) fraction.pop_back();
    if (!fraction.empty()) out += "." + fraction;
    return out;
}

std::string format_delivery(const deliver::Job& job, const deliver::Outcome& outcome, int resolution_digits)
{
    const mail::Recipient& recipient = job.envelope->recipients.at(outcome.recipient);
    const bool is_other = !outcome.recipient_address.empty();
    const std::string& address = is_other ? outcome.recipient_address : recipient.address;
    const std::string& original =
        is_other && !outcome.original_address.empty() ? outcome.original_address : recipient.original;

    // Times that nobody measured fall together with their neighbours.
    const WallTime ended = outcome.ended_at == WallTime{} ? base::wall_now() : outcome.ended_at;
    const WallTime active = job.active_at == WallTime{} ? ended : job.active_at;
    const WallTime started = outcome.connect_started_at != WallTime{} ? outcome.connect_started_at
                             : job.started_at != WallTime{}           ? job.started_at
                                                                      : active;
    const WallTime connected = outcome.connected_at != WallTime{} ? outcome.connected_at
                               : outcome.connect_started_at != WallTime{} ? ended
                                                                          : started;
    auto delay = [&](Duration d) { return format_delay(d, resolution_digits); };

    std::string line = fmt::format("to=<{}>, ", mail::log_address(address));
    if (!original.empty() && !base::equal_ignoring_case(original, address))
        line += fmt::format("orig_to=<{}>, ", mail::log_address(original));
    line += fmt::format("relay={}, ", outcome.relay);
    if (outcome.connection_uses > 1) line += fmt::format("conn_use={}, ", outcome.connection_uses);
    line += fmt::format("delay={}, delays={}/{}/{}/{}, dsn={}, status={} ({})",
                        delay(between(job.envelope->arrived_at, ended)),
                        delay(between(job.envelope->arrived_at, active)), delay(between(active, started)),
                        delay(between(started, connected)), delay(between(connected, ended)), outcome.status.code,
                        outcome.is_softened ? "SOFTBOUNCE" : status_word(outcome.kind, job.envelope->only_asks()),
                        outcome.status.text);
    return line;
}

void log_delivery(const Logger& logger, const deliver::Job& job, const deliver::Outcome& outcome, int resolution_digits)
{
    logger.info("{}: {}", mail::format(job.envelope->id), format_delivery(job, outcome, resolution_digits));
}

void log_active(const Logger& qmgr, const mail::Envelope& envelope, std::size_t recipient_count)
{
    qmgr.info("{}: from=<{}>, size={}, nrcpt={} (queue active)", mail::format(envelope.id),
              mail::log_address(envelope.sender), envelope.size, recipient_count);
}

void log_removed(const Logger& qmgr, mail::QueueId id) { qmgr.info("{}: removed", mail::format(id)); }

void log_expired(const Logger& qmgr, const mail::Envelope& envelope, bool is_forced)
{
    qmgr.info("{}: from=<{}>, status={}, returned to sender", mail::format(envelope.id),
              mail::log_address(envelope.sender), is_forced ? "force-expired" : "expired");
}

}  // namespace ekiden::report
