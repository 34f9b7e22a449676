// <program>_delivery_status_filter: a table that replaces the enhanced status code and text of outcomes, as documented
// under default_delivery_status_filter. The key is "code text", so is the result; a success stays a success, a failure may
// become temporary or permanent. What a table answers that is none of this is ignored with a warning. Any core.
#pragma once

#include "deliver/agent.hpp"
#include "table/maps.hpp"

#include <optional>
#include <string_view>

namespace ekiden::deliver {

// What a table's answer makes of `status`; nothing when it may not stand for it. Pure.
std::optional<mail::Status> filtered_status(const mail::Status& status, std::string_view answer);

// `agent` with its outcomes filtered; the agent itself when the settings name no table. `program` ("smtp", "lmtp", "local", "pipe", "virtual")
// is the prefix of the parameter. Throws config::ConfigError for a table that cannot be opened.
AgentPtr with_status_filter(AgentPtr agent, const config::Settings& settings, std::string_view program);

}  // namespace ekiden::deliver
