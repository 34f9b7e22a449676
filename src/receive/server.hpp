// One smtpd service of master.cf: its listeners on every core, its sessions, its limits.
//
// Where a process limit is written down, so many sessions are open at most and later connections wait in the backlog. A
// service that others than this machine can reach is under stress from then on, for a while: new sessions get the
// settings that `stress = yes` makes (a shorter smtpd_timeout, fewer errors).
//
// start() begins to accept; replace_settings() gives later connections new settings while running sessions finish on the
// old ones; stop() refuses new connections, lets sessions finish the message they are at, and closes what is left when
// the limit has passed. After stop() nothing of this object is used by anyone.
#pragma once

#include "base/fd.hpp"
#include "net/cores.hpp"
#include "net/listener.hpp"
#include "receive/options.hpp"
#include "receive/session.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ekiden::receive {

class ServerSettings {
public:
    // `settings` is the service's own snapshot (Settings::for_service). Throws config::ConfigError with smtpd's text.
    // `dns` outlives the sessions. `flush` (ETRN) is called on any core and must not block; `complain` writes letters to
    // the postmaster. `pool` (logins) outlives the sessions.
    static ServerSettings make(config::SettingsPtr settings, const config::ServiceSpec& service,
                               std::shared_ptr<const rewrite::Resolver> resolver,
                               std::shared_ptr<const rewrite::Intake> intake, dns::Resolver& dns,
                               std::function<void(const std::string& domain)> flush = {},
                               std::function<Task<void>(Complaint complaint)> complain = {},
                               net::BlockingPool* pool = nullptr,
                               std::shared_ptr<verify::Verifier> verifier = nullptr);  // for reject_unverified_*

    const ServicePtr& service() const { return service_; }
    // The same with `stress = yes`, for new sessions while the process limit is reached (STRESS_README); null where there
    // is no limit, or where master.cf sets stress itself.
    const ServicePtr& stressed() const { return stressed_; }

private:
    ServicePtr service_, stressed_;
};

class Server {
public:
    // `sockets`: for each address the service listens on, bound sockets, one per core (fewer are spread over the cores).
    Server(net::Cores& cores, ServerSettings settings, std::vector<std::vector<Fd>> sockets);
    ~Server();    // after stop()

    void start();
    void replace_settings(ServerSettings settings);
    Task<void> stop(std::chrono::seconds limit);

    const Counters& counters() const;

private:
    struct Common;
    struct PerCore;
    std::shared_ptr<Common> common_;
    std::vector<std::shared_ptr<PerCore>> cores_;
    std::vector<std::vector<Fd>> sockets_;
};

}  // namespace ekiden::receive
