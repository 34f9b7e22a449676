#include "deliver/agent.hpp"

namespace ekiden::deliver {

std::vector<Outcome> same_for_all(const Job& job, Outcome outcome)
{
    std::vector<Outcome> outcomes;
    outcomes.reserve(job.recipients.size());
    for (const std::uint32_t recipient : job.recipients) {
        outcome.recipient = recipient;
        outcomes.push_back(outcome);
    }
    return outcomes;
}

}  // namespace ekiden::deliver
