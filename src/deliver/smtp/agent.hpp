// The SMTP and LMTP delivery agent: smtp(8) and lmtp(8) inside the engine.
//
// For each job: find where the next hop is, take an idle connection or make one, host after host, until every recipient
// has a fate that another host could not better. The last word on a recipient that only met trouble is the last trouble.
// Thread: any core; the resolver and the agent outlive its jobs; the agent is destroyed before the cores.
#pragma once

#include "config/settings.hpp"
#include "deliver/agent.hpp"
#include "deliver/agents.hpp"
#include "dns/resolver.hpp"
#include "net/blocking.hpp"

namespace ekiden::deliver {

// `service` is a master.cf entry whose command is smtp or lmtp, `service_settings` the snapshot with its -o overrides.
// Throws config::ConfigError.
// The pool (null in tests) outlives the agent's jobs. `others`: for best_mx_transport.
AgentPtr make_smtp_agent(config::SettingsPtr service_settings, const config::ServiceSpec& service,
                         dns::Resolver& resolver, net::BlockingPool* pool = nullptr,
                         std::shared_ptr<const AgentsByName> others = {});

}  // namespace ekiden::deliver
