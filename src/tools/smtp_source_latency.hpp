// What smtp-source says about time at the end of a run (--latency): how long each message or login took, as percentiles.
// Four bytes are kept for each. Thread: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

class Latencies {
public:
    using Duration = std::chrono::steady_clock::duration;

    void reserve(std::size_t count) { microseconds_.reserve(count); }
    void add(Duration taken);
    // "4000 messages in 1.234 s, 3242 per second; ms: 50% 5.120, 90% 7.001, 99% 12.345, 100% 20.001"; `what` is the plural.
    std::string report(Duration whole, std::string_view what);

private:
    std::vector<std::uint32_t> microseconds_;
};

}  // namespace ekiden::tools
