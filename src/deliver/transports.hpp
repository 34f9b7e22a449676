// Transport name → agent and limits, from one settings snapshot: the `unix` services of master.cf that deliver mail
// (smtp, lmtp, local, virtual, error, retry, discard, pipe). Immutable after make(); any core.
#pragma once

#include "config/settings.hpp"
#include "deliver/agent.hpp"
#include "dns/resolver.hpp"
#include "net/blocking.hpp"
#include "rewrite/intake.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace ekiden::deliver {

class Helper;   // local/helper_client.hpp: acts as other users; null when not started as root

struct Transport {
    std::string name;                       // "smtp"
    std::string program;                    // "smtp", "local", "error"
    AgentPtr agent;
    int process_limit = 100;                // jobs at a time over all destinations; 0 = no limit
    int waiting_limit = 0;                  // and beside these, those that only wait for a far side; 0 = none
    int destination_concurrency_limit = 20;
    int initial_destination_concurrency = 5;
    int recipient_limit = 50;               // recipients in one job
    std::chrono::seconds rate_delay{0};     // between deliveries to one destination
    std::chrono::seconds transport_rate_delay{0};   // between deliveries to any
    double positive_feedback = 1, negative_feedback = 1;   // per delivery, divided by the window where so configured
    bool positive_by_window = false, negative_by_window = false, negative_by_sqrt = false, positive_by_sqrt = false;
    int failed_cohort_limit = 1;
    bool is_deferred = false;               // named in defer_transports
};

struct TransportNeeds {
    dns::Resolver& dns;
    net::BlockingPool& pool;
    std::shared_ptr<const rewrite::Intake> intake;
    Helper* helper = nullptr;
};

class Transports {
public:
    // Throws config::ConfigError for a service that cannot run.
    static std::shared_ptr<const Transports> make(config::SettingsPtr settings, const TransportNeeds& needs);
    // Null when there is no such transport ("mail transport unavailable").
    const Transport* find(std::string_view name) const;
    const std::map<std::string, Transport, std::less<>>& all() const { return transports_; }

private:
    std::map<std::string, Transport, std::less<>> transports_;
};

}  // namespace ekiden::deliver
