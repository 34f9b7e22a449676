// The master's side of spawn(8): the sockets of its lines in master.cf, and the process that serves them. The sockets
// stay open in the master, so that nobody is refused during a reload or while a process that died is started again.
// Those of type unix stand in $queue_directory/private or public, made with the mail owner's rights, for these folders
// are his. Thread: the master's.
#pragma once

#include "daemon/log_setup.hpp"
#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "daemon/layout.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ekiden::daemon {

// A listening socket; its name in the file system goes with it.
class SpawnSocket {
public:
    SpawnSocket(Fd socket, std::string path, const Owner& owner)
        : socket_(std::move(socket)), path_(std::move(path)), owner_(owner)
    {
    }
    ~SpawnSocket();
    SpawnSocket(const SpawnSocket&) = delete;
    SpawnSocket& operator=(const SpawnSocket&) = delete;
    int get() const { return socket_.get(); }

private:
    Fd socket_;
    std::string path_;    // empty: an inet socket
    Owner owner_;
};

class SpawnServices {
public:
    struct Listening {
        std::string name;    // spawn_name() of the line
        std::shared_ptr<SpawnSocket> socket;
    };
    using Sockets = std::vector<Listening>;

    // `open_log` gives the process the mail log's file, or nothing when it logs elsewhere.
    SpawnServices(Logger logger, std::function<LogFiles()> open_log)
        : logger_(std::move(logger)), open_log_(std::move(open_log))
    {
    }

    // The sockets that `settings` need; those that are open already stay what they are. What nobody holds any more
    // closes.
    Result<Sockets> bind(const config::Settings& settings, const Owner& owner);
    // From now on these are served, by a new process; the one from before finishes what it began.
    void use(const config::SettingsPtr& settings, Sockets sockets);
    // True if the child was one of these.
    bool on_child(pid_t pid, const std::string& how);
    void tick();     // starts again what died; to be called every second
    void renew();    // a successor: the log file is another one
    void stop();     // ends processes and commands

private:
    Result<std::shared_ptr<SpawnSocket>> listen_unix(const config::Settings& settings,
                                                     const config::ServiceSpec& service, const Owner& owner);
    void start();
    void drain();

    Logger logger_;
    std::function<LogFiles()> open_log_;
    config::SettingsPtr settings_;
    Sockets sockets_;
    std::map<std::string, std::weak_ptr<SpawnSocket>> known_;    // by path or endpoint
    pid_t pid_ = 0;
    std::set<pid_t> leaving_;                                    // told to drain
    SteadyTime started_at_{};
    std::optional<SteadyTime> restart_at_;
    std::chrono::seconds pause_{1};
};

}  // namespace ekiden::daemon
