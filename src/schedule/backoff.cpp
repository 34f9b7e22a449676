#include "schedule/backoff.hpp"

#include <algorithm>

namespace ekiden::schedule {

WallTime next_attempt(WallTime arrived_at, WallTime now, const BackoffLimits& limits, double random)
{
    auto minimal = std::max<Duration>(limits.minimal, std::chrono::seconds(1));
    auto maximal = std::max<Duration>(limits.maximal, minimal);
    auto wait = std::clamp<Duration>(now - arrived_at, minimal, maximal);
    // Postfix keeps times in whole seconds and is up to one second early; schedules copied from it count on that.
    if (wait > std::chrono::seconds(1)) wait -= std::chrono::seconds(1);
    auto jitter = Duration(static_cast<std::int64_t>(double(wait.count()) * 0.05 * random));
    // Jitter may not push the wait over the maximum: an operator who writes 1h means at least once an hour.
    return now + std::min<Duration>(wait + jitter, maximal);
}

}  // namespace ekiden::schedule
