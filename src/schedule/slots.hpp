// How many jobs of one transport run at a time: the process limit of master.cf, and beside it room for those that only wait
// for a far side. Pure; lives on the scheduler's core.
//
// A job here is no process. A destination that answers is quick: its jobs count against the limit. One that is not known
// to answer, or did so late, is not: its jobs have room of their own, so that a hundred silent hosts take nothing away from
// a host that answers. A quick destination's job that takes longer than `patience` changes sides. Transports that stand for
// real processes or disks, and those whose limit the operator has written himself, have no room for waiting: there all jobs
// count alike.
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>

namespace ekiden::schedule {

class Slots {
public:
    static constexpr std::chrono::milliseconds patience{1000};

    struct Limits {
        std::size_t running = 100;   // 0 = no limit
        std::size_t waiting = 0;     // 0 = no such room
    };
    struct Job {
        SteadyTime started_at;
        bool is_counted;             // against `running`
        bool is_over = false;
    };
    using Ticket = std::shared_ptr<Job>;

    bool has_room(const Limits& limits, bool is_quick) const;
    Ticket start(const Limits& limits, bool is_quick, SteadyTime now);
    // How long it took, for is_quick() of the destination.
    std::chrono::nanoseconds finish(const Ticket& ticket, SteadyTime now);
    // Jobs that have taken longer than `patience` change sides.
    void age(const Limits& limits, SteadyTime now);
    // When the next one would, if one may.
    std::optional<SteadyTime> next_change(const Limits& limits) const;

private:
    std::size_t running_ = 0, waiting_ = 0;
    std::deque<Ticket> counted_;     // by start; those that are over go when they come to the front
};

}  // namespace ekiden::schedule
