// A job carried out by its agent, on the caller's core or another. Whatever is thrown there (agents do so for want of memory
// alone) becomes "try later" for every recipient: a job without an end would keep its message and its place until the next
// start. Who was delivered to before it was thrown gets the mail twice, as after a crash.
#pragma once

#include "deliver/agent.hpp"

#include <optional>
#include <vector>

namespace ekiden::schedule {

Task<std::vector<deliver::Outcome>> carry_out(deliver::AgentPtr agent, deliver::Job job,
                                              std::optional<net::Executor> elsewhere = std::nullopt);

}  // namespace ekiden::schedule
