#include "base/clock.hpp"

#include <atomic>

namespace ekiden::base {

// Microseconds; negative while the clocks run.
static std::atomic<std::int64_t> held_wall{-1};

WallTime wall_now()
{
    if (auto held = held_wall.load(std::memory_order_relaxed); held >= 0) return WallTime(Duration(held));
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

SteadyTime steady_now()
{
    if (auto held = held_wall.load(std::memory_order_relaxed); held >= 0) return SteadyTime(Duration(held));
    return std::chrono::steady_clock::now();
}

FixedClock::FixedClock(WallTime start) { held_wall = start.time_since_epoch().count(); }
FixedClock::~FixedClock() { held_wall = -1; }
void FixedClock::advance(Duration by) { held_wall += by.count(); }

}  // namespace ekiden::base
