// The master's side of the SASL processes: which are needed, their sockets, and keeping them alive. The sockets stand
// in $queue_directory/private/sasl, which is the mail owner's alone; the master makes them with his rights, not root's,
// for whoever has become the mail owner may have put something else in their place.
//
// While a process lives its socket listens; when it has died, clients are refused at once (and told to try later) until
// it has been started again, after a pause that doubles. Thread: the master's.
#pragma once

#include "daemon/log_setup.hpp"
#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "daemon/layout.hpp"
#include "daemon/sasl_process.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ekiden::daemon {

class SaslServices {
public:
    // `open_log` gives each process the mail log's file, or nothing when it logs elsewhere.
    SaslServices(Logger logger, std::function<LogFiles()> open_log)
        : logger_(std::move(logger)), open_log_(std::move(open_log))
    {
    }

    // Starts what `settings` need; what runs already gets a successor, for smtpd.conf may have changed, and finishes
    // what it began. When it returns the sockets listen, or the log says why not: mail goes on without logins. What is
    // no longer needed stays until drop_unused() hears of the settings that are in force.
    void use(const config::SettingsPtr& settings, const Owner& owner);
    void drop_unused(const config::Settings& settings);
    // True if the child was one of these.
    bool on_child(pid_t pid, const std::string& how);
    void tick();       // starts again what died; to be called every second
    void renew();      // successors for all: the log file is another one
    void stop();

private:
    struct Service {
        SaslSetup setup;
        std::string path;
        Fd socket;
        pid_t pid = 0;
        SteadyTime started_at{};
        std::optional<SteadyTime> restart_at;
        std::chrono::seconds pause{1};
    };
    Result<void> listen(Service& service) const;
    void start(Service& service);
    Result<void> spawn(Service& service);
    void end(Service& service);      // it drains
    void unlink(const Service& service) const;

    Logger logger_;
    std::function<LogFiles()> open_log_;
    Owner owner_;
    config::SettingsPtr settings_;
    std::vector<Service> services_;
    std::set<pid_t> leaving_;        // told to end
};

// What keeps logins through libsasl2 or Dovecot from working, or will surprise: no smtpd.conf, mechanisms without plug-in,
// security options that leave none, a password database or socket that is not there or that mail_owner may not use. All
// are warnings, since Postfix would serve all other mail.
std::vector<config::Problem> find_sasl_problems(const config::Settings& settings);

}  // namespace ekiden::daemon
