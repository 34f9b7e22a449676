#include "daemon/postfix_actions.hpp"

#include "base/log_sinks.hpp"
#include "control/client.hpp"
#include "daemon/layout.hpp"
#include "daemon/logrotate.hpp"
#include "daemon/master.hpp"
#include "daemon/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace ekiden::daemon::postfix {

namespace {

constexpr auto usage =
    "Usage: postfix start (or stop, reload, abort, flush, check, status, set-permissions, upgrade-configuration, logrotate)";

}  // namespace

int Command::start(bool is_foreground)
{
    if (find_master(*settings_)) {
        script_.fatal("the Postfix mail system is already running");
        return 1;
    }
    if (int status = check({.has_hints = is_watched()}); status != 0) return status;
    script_.info("starting the Postfix mail system");
    base::flush_log();
    if (is_foreground) return run_master({directory_, true, -1});

    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) < 0) {
        std::fprintf(stderr, "postfix: fatal: pipe: %s\n", std::strerror(errno));
        return 1;
    }
    // The master is executed anew: a clean process without this command's threads and buffers.
    auto child = spawn_self({"master", "-c", directory_}, {{ready[1], 3}});
    ::close(ready[1]);
    if (!child) {
        std::fprintf(stderr, "postfix: fatal: %s\n", child.error().text().c_str());
        return 1;
    }
    std::string answer;
    char buffer[512];
    for (;;) {
        ssize_t n = ::read(ready[0], buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        answer.append(buffer, static_cast<std::size_t>(n));
    }
    if (answer == "ok\n") return 0;
    if (!answer.empty()) std::fprintf(stderr, "postfix: %s", answer.c_str());
    script_.fatal("mail system startup failed");
    return 1;
}

bool Command::may_signal(int pid)
{
    if (::kill(pid, 0) == 0 || errno != EPERM) return true;
    const char* const why = "the postfix command is reserved for the superuser";
    if (is_watched()) std::fprintf(stderr, "postfix: fatal: %s\n", why);
    else Logger(settings_->str("syslog_name") + "/postfix").fatal("{}", why);
    return false;
}

int Command::not_running()
{
    script_.fatal("the Postfix mail system is not running");
    return 1;
}

bool Command::wait_until_gone(std::chrono::seconds limit)
{
    auto end = base::steady_now() + limit;
    while (find_master(*settings_)) {
        if (base::steady_now() > end) return false;
        ::poll(nullptr, 0, 10);
    }
    return true;
}

int Command::stop(bool is_abort)
{
    int pid = find_master(*settings_);
    if (!pid) return not_running();
    if (!may_signal(pid)) return 1;
    script_.info("{} the Postfix mail system", is_abort ? "aborting" : "stopping");
    base::flush_log();
    if (::kill(pid, is_abort ? SIGQUIT : SIGTERM) < 0) {
        std::fprintf(stderr, "postfix: fatal: kill %d: %s\n", pid, std::strerror(errno));
        return 1;
    }
    if (!wait_until_gone(std::chrono::seconds(90))) {
        script_.fatal("the mail system (pid {}) does not stop; try \"postfix abort\"", pid);
        return 1;
    }
    return 0;
}

// For the end of the day of the machine: who is down already is no failure.
int Command::quick_stop()
{
    if (find_master(*settings_)) return stop(false);
    (void)not_running();
    return 0;
}

int Command::reload()
{
    int pid = find_master(*settings_);
    if (!pid) return not_running();
    if (!may_signal(pid)) return 1;
    if (int status = check({.has_hints = is_watched(), .has_postconf = false, .names_place = true}); status != 0) {
        script_.error("the running settings stay in force");
        return status;
    }
    script_.info("refreshing the Postfix mail system");
    base::flush_log();
    if (::kill(pid, SIGHUP) < 0) {
        std::fprintf(stderr, "postfix: fatal: kill %d: %s\n", pid, std::strerror(errno));
        return 1;
    }
    return 0;
}

int Command::flush()
{
    auto done = control::call(settings_->str("queue_directory"), {"flush"});
    if (done) return 0;
    std::fprintf(stderr, "postqueue: fatal: %s\n",
                 done.error().is(ErrorCode::unavailable) ? "Cannot flush mail queue - mail system is down"
                                                         : done.error().text().c_str());
    return 69;
}

int Command::status()
{
    int pid = find_master(*settings_);
    if (!pid) {
        // Why it does not run may be what stands in master.cf; a running one is reported whatever stands there by now.
        try {
            config::LoadOptions options;
            options.directory = directory_;
            options.checks = config::Checks::command;
            (void)config::Settings::load(options);
        } catch (const config::ConfigError& error) {
            if (error.location.file.ends_with("master.cf")) return refuse_master_cf(error);
        }
        script_.info("the Postfix mail system is not running");
        return 1;
    }
    script_.info("the Postfix mail system is running: PID: {}", pid);
    return 0;
}

// Said where there is no terminal, too: a script that asks for what there is not should fail with words.
int Command::refuse(const std::string& why)
{
    script_.fatal("{}", why);
    if (!::isatty(STDERR_FILENO)) std::fprintf(stderr, "postfix: fatal: %s\n", why.c_str());
    return 1;
}

// There are no files beside the binary that could have wrong owners, and no master.cf that is too old to be read.
int Command::set_permissions(const std::string& word, bool has_arguments)
{
    if (has_arguments) {
        return refuse(fmt::format(
            "\"postfix {}\" takes no arguments here: change parameters with postconf(1) first, then say \"postfix {}\"",
            word, word));
    }
    auto owner = find_owner(*settings_);
    auto made = owner ? make_directories(*settings_, *owner) : Result<void>(std::unexpected(owner.error()));
    if (!made) {
        std::fprintf(stderr, "postfix: fatal: %s\n", made.error().text().c_str());
        return 1;
    }
    return 0;
}

int Command::rotate() { return rotate_logs(*settings_, Logger(settings_->str("syslog_name") + "/postfix-script")); }

int Command::tls()
{
    return refuse(
        "\"postfix tls\" is not part of this system: make keys with openssl(1) or an ACME client, then set smtpd_tls_chain_files, "
        "smtpd_tls_security_level and smtp_tls_security_level with postconf(1)");
}

int Command::unknown(const std::string& word)
{
    script_.fatal("unknown command: '{}'. {}", word, usage);
    return 1;
}

}  // namespace ekiden::daemon::postfix
