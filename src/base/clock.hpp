// The wall clock and the steady clock, which a test can hold still. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>

namespace ekiden::base {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::microseconds;

// Times that are stored or logged come from wall_now(); deadlines and delays from steady_now().
WallTime wall_now();
SteadyTime steady_now();

// Holds both clocks still while it lives (tests only; one at a time).
class FixedClock {
public:
    explicit FixedClock(WallTime start);
    ~FixedClock();
    FixedClock(const FixedClock&) = delete;
    FixedClock& operator=(const FixedClock&) = delete;
    void advance(Duration by);
};

inline std::int64_t to_seconds(WallTime t)
{
    return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}

}  // namespace ekiden::base

namespace ekiden {
using base::Duration;
using base::SteadyTime;
using base::WallTime;
}  // namespace ekiden
