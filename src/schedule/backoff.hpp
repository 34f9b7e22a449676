// When to try again (pure). As in Postfix the wait grows with the age of the message: a message that has waited a
// minute waits about a minute more, within minimal_backoff_time and maximal_backoff_time. Up to a twentieth is added at
// random, so that a thousand messages deferred together do not come back together.
#pragma once

#include "base/clock.hpp"

#include <chrono>

namespace ekiden::schedule {

struct BackoffLimits {
    std::chrono::seconds minimal{300};
    std::chrono::seconds maximal{4000};
};

// `random` is uniform in [0, 1).
WallTime next_attempt(WallTime arrived_at, WallTime now, const BackoffLimits& limits, double random);

}  // namespace ekiden::schedule
