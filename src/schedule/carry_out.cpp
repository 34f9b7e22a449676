#include "schedule/carry_out.hpp"

#include "mail/queue_id.hpp"
#include "net/cores.hpp"

#include <exception>
#include <string>

namespace ekiden::schedule {

Task<std::vector<deliver::Outcome>> carry_out(deliver::AgentPtr agent, deliver::Job job,
                                              std::optional<net::Executor> elsewhere)
{
    std::string trouble;
    try {
        if (elsewhere) co_return co_await net::run_on(*elsewhere, agent->deliver(job));
        co_return co_await agent->deliver(job);
    } catch (const std::exception& error) {
        trouble = error.what();
    }
    agent->logger().warning("{}: cannot deliver: {}", mail::format(job.envelope->id), trouble);
    deliver::Outcome outcome;
    outcome.status = {"4.3.0", "mail system resources are exhausted"};
    outcome.ended_at = base::wall_now();
    co_return deliver::same_for_all(job, std::move(outcome));
}

}  // namespace ekiden::schedule
