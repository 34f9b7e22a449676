#include "schedule/slots.hpp"

namespace ekiden::schedule {

bool Slots::has_room(const Limits& limits, bool is_quick) const
{
    if (limits.running == 0) return true;
    if (limits.waiting == 0) return running_ + waiting_ < limits.running;
    return is_quick ? running_ < limits.running : waiting_ < limits.waiting;
}

Slots::Ticket Slots::start(const Limits& limits, bool is_quick, SteadyTime now)
{
    auto ticket = std::make_shared<Job>(Job{now, is_quick || limits.waiting == 0});
    if (!ticket->is_counted) {
        ++waiting_;
        return ticket;
    }
    ++running_;
    while (!counted_.empty() && (counted_.front()->is_over || !counted_.front()->is_counted)) counted_.pop_front();
    counted_.push_back(ticket);
    return ticket;
}

std::chrono::nanoseconds Slots::finish(const Ticket& ticket, SteadyTime now)
{
    ticket->is_over = true;
    --(ticket->is_counted ? running_ : waiting_);
    while (!counted_.empty() && (counted_.front()->is_over || !counted_.front()->is_counted)) counted_.pop_front();
    return now - ticket->started_at;
}

void Slots::age(const Limits& limits, SteadyTime now)
{
    if (limits.waiting == 0) return;
    while (!counted_.empty()) {
        Job& oldest = *counted_.front();
        if (!oldest.is_over && oldest.started_at + patience > now) return;
        if (!oldest.is_over) {
            oldest.is_counted = false;
            --running_;
            ++waiting_;
        }
        counted_.pop_front();
    }
}

std::optional<SteadyTime> Slots::next_change(const Limits& limits) const
{
    if (limits.waiting == 0) return std::nullopt;
    for (const Ticket& job : counted_)
        if (!job->is_over) return job->started_at + patience;
    return std::nullopt;
}

}  // namespace ekiden::schedule
