// How each delivering program is made from its service's settings; one line per program in transports.cpp. Factories
// throw config::ConfigError for settings with which the service cannot run.
#pragma once

#include "deliver/transports.hpp"

namespace ekiden::deliver {

// All agents of one snapshot by service name, complete once every one is made: for local(8), which hands mail to another
// transport where mailbox_transport says so. Weak, since the agents hold it.
using AgentsByName = std::map<std::string, std::weak_ptr<Agent>, std::less<>>;

struct AgentNeeds {
    config::SettingsPtr settings;         // the service's own: -o overrides applied
    const config::ServiceSpec& service;
    const TransportNeeds& shared;
    std::shared_ptr<const AgentsByName> others = {};
};

AgentPtr make_local_agent(const AgentNeeds& needs);     // local/
AgentPtr make_virtual_agent(const AgentNeeds& needs);   // virtual
AgentPtr make_error_agent(const AgentNeeds& needs);     // error, retry: the next hop is the status text
AgentPtr make_discard_agent(const AgentNeeds& needs);
AgentPtr make_pipe_agent(const AgentNeeds& needs);

}  // namespace ekiden::deliver
