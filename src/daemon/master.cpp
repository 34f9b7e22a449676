#include "daemon/master.hpp"

#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "control/request.hpp"
#include "daemon/check_settings.hpp"
#include "daemon/layout.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/messages.hpp"
#include "daemon/postlog_server.hpp"
#include "daemon/privileges.hpp"
#include "daemon/process.hpp"
#include "daemon/sasl_service.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/services.hpp"
#include "daemon/spawn_service.hpp"
#include "net/listener.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

using config::Problem;
using config::SettingsPtr;

// After an engine that died young the pause doubles, up to what master's throttle waits: one crash costs a second, a
// crash at every start does not keep the machine busy.
constexpr std::chrono::seconds first_restart_pause{1}, longest_restart_pause{60};
constexpr std::chrono::seconds young{10};
constexpr std::chrono::seconds stop_limit{60};      // then the engine is killed: mail is in the log

SettingsPtr load(const std::string& directory)
{
    config::LoadOptions options;
    options.directory = directory;
    return config::Settings::load(options);
}

std::string pid_path(const config::Settings& settings) { return settings.str("queue_directory") + "/pid/master.pid"; }

unsigned core_count()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
    return std::max(1u, std::thread::hardware_concurrency());
}

// Sockets of one service on one endpoint, one per core.
struct Listening {
    std::string service;
    std::string endpoint;
    std::vector<Fd> sockets;
};

class Master {
public:
    Master(MasterOptions options, SettingsPtr settings)
        : options_(std::move(options)), settings_(std::move(settings)),
          logger_(settings_->str("syslog_name") + "/master")
    {
    }

    int run();

private:
    Result<void> prepare();
    Result<void> lock();
    Result<void> bind_services(const config::Settings& settings, std::vector<Listening>& listening);
    Result<void> bind_control();
    Result<void> start_helper();
    Result<void> start_engine();
    Result<void> send_sockets(const std::vector<Listening>& listening);
    void reload();
    void reopen_log();
    bool logs_elsewhere(const config::Settings& fresh) const;
    void move_log();
    Result<void> send_logs(const config::Settings& settings, const std::string& prefix);
    void on_engine_message();
    void on_child();
    int stop(bool is_abort);
    void tell_starter(const std::string& text);

    MasterOptions options_;
    SettingsPtr settings_;
    Owner owner_;
    Logger logger_;
    Fd pid_file_, control_, signals_, channel_;
    PostlogServer postlog_;
    std::vector<Listening> listening_;
    SaslServices sasl_{logger_, [this] { return open_log_files(*settings_); }};
    SpawnServices spawn_{logger_, [this] { return open_log_files(*settings_); }};
    // Reloads that the engine has been asked for and has not answered, oldest first: it answers each in its turn.
    struct Reload {
        std::vector<Listening> listening;
        SpawnServices::Sockets spawn_sockets;
        SettingsPtr settings;
    };
    std::deque<Reload> reloads_;
    pid_t engine_ = 0, helper_ = 0;
    SteadyTime engine_started_at_{};
    std::optional<SteadyTime> restart_at_;
    std::chrono::seconds restart_pause_ = first_restart_pause;
    bool is_ready_ = false, was_ready_ = false;   // this engine; any engine
    unsigned cores_ = core_count();
};

Result<void> Master::lock()
{
    std::string path = pid_path(*settings_);
    auto file = base::open_file(path, O_RDWR | O_CREAT, 0644);
    if (!file) return std::unexpected(file.error());
    if (::flock(file->get(), LOCK_EX | LOCK_NB) < 0)
        return fail(ErrorCode::refused, "the Postfix mail system is already running");
    std::string pid = fmt::format("{:>10}\n", ::getpid());
    if (::ftruncate(file->get(), 0) < 0) return fail(Error::from_errno("truncate", path));
    EKIDEN_TRY(base::write_all_at(file->get(), pid, 0));
    pid_file_ = std::move(*file);
    return {};
}

Result<void> Master::bind_services(const config::Settings& settings, std::vector<Listening>& listening)
{
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.type != "inet" || role_of(service.command) != Role::smtp_server) continue;
        for (const net::Endpoint& endpoint : endpoints_of(settings, service)) {
            Listening entry{service.name, net::format_endpoint(endpoint), {}};
            // A running instance keeps the sockets it has: no connection is refused during a reload.
            auto old = std::find_if(listening_.begin(), listening_.end(),
                                    [&](const Listening& l) { return l.endpoint == entry.endpoint; });
            if (old != listening_.end()) {
                for (const Fd& socket : old->sockets)
                    entry.sockets.emplace_back(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
            } else {
                for (unsigned i = 0; i < cores_; ++i) {
                    auto socket =
                        net::listen_tcp(endpoint, 1024, i == 0 ? net::Share::first : net::Share::further);
                    if (!socket)
                        return fail(socket.error().code(),
                                    fmt::format("bind {} port {}: {}", net::format_address(endpoint.address),
                                                endpoint.port, std::strerror(socket.error().os_error())));
                    entry.sockets.push_back(std::move(*socket));
                }
            }
            listening.push_back(std::move(entry));
        }
    }
    return {};
}

Result<void> Master::bind_control()
{
    std::string path = settings_->str("queue_directory") + "/" + std::string(control::socket_name);
    ::unlink(path.c_str());
    auto socket = net::listen_unix(path, 128, 0666);
    if (!socket) return std::unexpected(socket.error());
    if (owner_.is_root && ::chown(path.c_str(), owner_.uid, owner_.gid) < 0)
        return fail(Error::from_errno("chown", path));
    control_ = std::move(*socket);
    return postlog_.open(log_relay_path(*settings_), owner_.is_root, owner_.uid, owner_.gid);
}

Result<void> Master::prepare()
{
    EKIDEN_TRY_VALUE(owner, find_owner(*settings_));
    owner_ = owner;
    EKIDEN_TRY(make_directories(*settings_, owner_));
    EKIDEN_TRY(lock());
    EKIDEN_TRY(bind_services(*settings_, listening_));
    EKIDEN_TRY(bind_control());
    EKIDEN_TRY_VALUE(spawn_sockets, spawn_.bind(*settings_, owner_));
    sasl_.use(settings_, owner_);
    spawn_.use(settings_, std::move(spawn_sockets));
    return {};
}

Result<void> Master::start_helper()
{
    EKIDEN_TRY_VALUE(ends, message_pair());
    auto pid = spawn_self({"helper", "-c", settings_->directory()}, {{ends.second.get(), channel_number}});
    if (!pid) return std::unexpected(pid.error());
    helper_ = *pid;
    int fds[] = {ends.first.get()};
    return send_message(channel_.get(), "helper", fds);
}

Result<void> Master::send_sockets(const std::vector<Listening>& listening)
{
    for (const Listening& entry : listening) {
        std::vector<int> fds;
        for (const Fd& socket : entry.sockets) fds.push_back(socket.get());
        EKIDEN_TRY(send_message(channel_.get(), "socket " + entry.service + " " + entry.endpoint, fds));
    }
    return {};
}

// `prefix`: nothing for a new engine, "reopen-" for one that has log files already.
Result<void> Master::send_logs(const config::Settings& settings, const std::string& prefix)
{
    const LogFiles files = open_log_files(settings);
    for (const auto& [file, name] : {std::pair(&files.lines, "log"), std::pair(&files.json, "json-log")}) {
        if (!*file) continue;
        int fds[] = {file->get()};
        EKIDEN_TRY(send_message(channel_.get(), prefix + name, fds));
    }
    return {};
}

Result<void> Master::start_engine()
{
    EKIDEN_TRY_VALUE(ends, message_pair());
    channel_ = std::move(ends.first);
    reloads_.clear();   // asked of an engine that is gone; this one reads the files itself
    auto pid = spawn_self({"engine", "-c", settings_->directory()}, {{ends.second.get(), channel_number}});
    if (!pid) return std::unexpected(pid.error());
    engine_ = *pid;
    engine_started_at_ = base::steady_now();
    is_ready_ = false;
    EKIDEN_TRY(start_helper());
    EKIDEN_TRY(send_logs(*settings_, ""));
    int control[] = {control_.get()};
    EKIDEN_TRY(send_message(channel_.get(), "control", control));
    EKIDEN_TRY(send_sockets(listening_));
    return send_message(channel_.get(), "go");
}

void Master::tell_starter(const std::string& text)
{
    if (options_.ready_fd < 0) return;
    (void)base::write_all(options_.ready_fd, text);
    ::close(options_.ready_fd);
    options_.ready_fd = -1;
}

void Master::on_engine_message()
{
    auto message = receive_message(channel_.get());
    if (!message) {
        channel_.reset();   // on_child() does the rest
        return;
    }
    if (message->text == "ready") {
        is_ready_ = was_ready_ = true;
        logger_.info("daemon started -- version {}, configuration {}", settings_->str("mail_version"),
                     settings_->directory());
        tell_starter("ok\n");
        notify_service_manager("READY=1");
    } else if (message->text == "reloaded") {
        if (reloads_.empty()) return;
        listening_ = std::move(reloads_.front().listening);
        const SettingsPtr before = std::exchange(settings_, std::move(reloads_.front().settings));
        spawn_.use(settings_, std::move(reloads_.front().spawn_sockets));
        reloads_.pop_front();
        sasl_.drop_unused(*settings_);
        if (!have_same_log(*before, *settings_)) move_log();
        logger_.info("reload -- version {}, configuration {}", settings_->str("mail_version"), settings_->directory());
    } else if (message->text.starts_with("failed ")) {
        std::string text = message->text.substr(7);
        if (is_ready_) {
            logger_.error("reload refused, the running settings stay in force: {}", text);
            if (!reloads_.empty()) reloads_.pop_front();
            sasl_.drop_unused(*settings_);
        } else {
            tell_starter("fatal: " + text + "\n");
        }
    }
}

void Master::reload()
{
    // Whoever renames the log file by other means than `postfix logrotate` (logrotate(8)) has it opened anew by a reload.
    if (!settings_->str("maillog_file").empty() || wants_json_log(*settings_)) reopen_log();
    try {
        SettingsPtr fresh = load(options_.directory);
        bool is_refused = false;
        for (const Problem& problem : check_settings(*fresh, Hints::no)) {
            if (problem.level == Problem::Level::fatal) {
                logger_.error("{}", problem.text);
                is_refused = true;
            } else {
                logger_.warning("{}", problem.text);
            }
        }
        if (is_refused) {
            logger_.error("reload refused, the running settings stay in force");
            return;
        }
        std::vector<Listening> listening;
        if (auto bound = bind_services(*fresh, listening); !bound) {
            logger_.error("reload refused, the running settings stay in force: {}", bound.error().text());
            return;
        }
        auto spawn_sockets = spawn_.bind(*fresh, owner_);
        if (!spawn_sockets)
            return logger_.error("reload refused, the running settings stay in force: {}",
                                 spawn_sockets.error().text());
        sasl_.use(fresh, owner_);
        Result<void> sent = channel_ ? send_sockets(listening) : fail(ErrorCode::unavailable, "no engine runs");
        // The engine uses them when it takes the new settings; so do we.
        if (sent && logs_elsewhere(*fresh)) {
            sent = send_message(channel_.get(), "move-log");
            if (sent) sent = send_logs(*fresh, "");
        }
        if (sent) sent = send_message(channel_.get(), "reload");
        if (!sent) return logger_.error("reload failed: {}", sent.error().text());
        reloads_.push_back({std::move(listening), std::move(*spawn_sockets), std::move(fresh)});
    } catch (const config::ConfigError& error) {
        std::string place = error.location.line > 0
                                ? fmt::format(" ({}, line {})", error.location.file, error.location.line)
                                : std::string();
        logger_.error("reload refused, the running settings stay in force: {}{}", error.what(), place);
    }
}

// Than what runs, or than what the engine was asked for and may yet take or refuse?
bool Master::logs_elsewhere(const config::Settings& fresh) const
{
    return !have_same_log(*settings_, fresh) ||
           std::ranges::any_of(reloads_, [&](const Reload& asked) { return !have_same_log(*asked.settings, fresh); });
}

// To where the settings want it now; the engine is there already.
void Master::move_log()
{
    if (auto opened = open_log(*settings_); !opened) return logger_.error("{}", opened.error().text());
    sasl_.renew();
    spawn_.renew();
}

void Master::reopen_log()
{
    base::reopen_log();
    sasl_.renew();
    spawn_.renew();
    if (channel_) (void)send_logs(*settings_, "reopen-");
}

void Master::on_child()
{
    int status = 0;
    while (pid_t pid = ::waitpid(-1, &status, WNOHANG)) {
        if (pid < 0) return;
        std::string how = WIFSIGNALED(status) ? fmt::format("killed by signal {}", WTERMSIG(status))
                                              : fmt::format("exit status {}", WEXITSTATUS(status));
        if (sasl_.on_child(pid, how) || spawn_.on_child(pid, how)) continue;
        if (pid == helper_) {
            helper_ = 0;
            logger_.warning("process helper pid {} {}", pid, how);
            if (auto started = channel_ ? start_helper() : Result<void>{}; !started)
                logger_.error("cannot start the helper: {}", started.error().text());
        } else if (pid == engine_) {
            engine_ = 0;
            channel_.reset();
            if (helper_) ::kill(helper_, SIGTERM);
            logger_.warning("process engine pid {} {}", pid, how);
            bool died_young = base::steady_now() - engine_started_at_ < young;
            if (!died_young) restart_pause_ = first_restart_pause;
            restart_at_ = base::steady_now() + restart_pause_;
            restart_pause_ = std::min(restart_pause_ * 2, longest_restart_pause);
            if (!is_ready_) logger_.warning("engine: bad command startup -- throttling");
        }
    }
}

int Master::stop(bool is_abort)
{
    logger_.info("terminating on signal {}", is_abort ? 9 : 15);
    notify_service_manager("STOPPING=1");
    if (engine_ && is_abort) ::kill(engine_, SIGKILL);
    else if (channel_) (void)send_message(channel_.get(), "stop");
    auto limit = base::steady_now() + stop_limit;
    while (engine_) {
        int status;
        pid_t pid = ::waitpid(engine_, &status, WNOHANG);
        if (pid == engine_ || (pid < 0 && errno == ECHILD)) break;
        if (base::steady_now() > limit) {
            logger_.warning("the engine does not stop; killing it (queued mail is safe in the log)");
            ::kill(engine_, SIGKILL);
        }
        postlog_.receive(settings_->str("syslog_name"));
        pollfd nothing{};
        ::poll(&nothing, 0, 20);
    }
    if (helper_) ::kill(helper_, SIGTERM);
    while (helper_ && ::waitpid(helper_, nullptr, 0) < 0 && errno == EINTR) {}
    sasl_.stop();
    spawn_.stop();
    ::unlink((settings_->str("queue_directory") + "/" + std::string(control::socket_name)).c_str());
    postlog_.close(settings_->str("syslog_name"));
    (void)!::ftruncate(pid_file_.get(), 0);
    base::flush_log();
    return 0;
}

int Master::run()
{
    sigset_t mask;
    sigemptyset(&mask);
    for (int signal : {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGCHLD, SIGUSR1}) sigaddset(&mask, signal);
    ::sigprocmask(SIG_BLOCK, &mask, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals_ = Fd(::signalfd(-1, &mask, SFD_CLOEXEC));

    auto started = prepare();
    if (started) started = start_engine();
    if (!started) {
        logger_.fatal("{}", started.error().text());
        tell_starter("fatal: " + started.error().text() + "\n");
        if (engine_) ::kill(engine_, SIGKILL);
        if (helper_) ::kill(helper_, SIGKILL);
        sasl_.stop();
        spawn_.stop();
        return 1;
    }

    for (;;) {
        if (restart_at_ && base::steady_now() >= *restart_at_) {
            restart_at_.reset();
            if (auto again = start_engine(); !again) {
                logger_.error("cannot start the engine: {}", again.error().text());
                restart_at_ = base::steady_now() + longest_restart_pause;
            }
        }
        sasl_.tick();
        spawn_.tick();
        // poll() passes over what is closed, which is -1. What a command said before its signal is written before we obey.
        pollfd waits[3] = {
            {signals_.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}, {postlog_.descriptor(), POLLIN, 0}};
        int count = ::poll(waits, 3, 1000);
        if (count < 0 && errno != EINTR) return 1;
        if (waits[2].revents || waits[0].revents) postlog_.receive(settings_->str("syslog_name"));
        if (channel_ && waits[1].revents) on_engine_message();
        if (!(waits[0].revents & POLLIN)) continue;
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof info) != sizeof info) continue;
        switch (info.ssi_signo) {
        case SIGHUP: reload(); break;
        case SIGUSR1: reopen_log(); break;
        case SIGQUIT: return stop(true);
        case SIGCHLD:
            on_child();
            // An engine that cannot even start says so to whoever waits for the start.
            if (!engine_ && !was_ready_) {
                tell_starter("fatal: the engine did not start; see the log\n");
                return stop(true), 1;
            }
            break;
        default: return stop(false);
        }
    }
}

}  // namespace

int find_master(const config::Settings& settings)
{
    auto file = base::open_file(pid_path(settings), O_RDONLY);
    if (!file) return 0;
    // Whoever holds the lock runs; a stale file without a holder does not count.
    if (::flock(file->get(), LOCK_SH | LOCK_NB) == 0) return 0;
    char text[32]{};
    auto length = base::read_at(file->get(), std::span(text, sizeof text - 1), 0);
    if (!length) return 0;
    return base::parse_number<int>(base::trim(std::string_view(text, *length))).value_or(0);
}

int run_master(const MasterOptions& options)
{
    Logger early("postfix/master");
    // Without a log, whoever waits for the start is the only one who can be told.
    auto refuse = [&](std::string_view text) {
        early.fatal("{}", text);
        if (options.ready_fd >= 0) (void)base::write_all(options.ready_fd, fmt::format("fatal: {}\n", text));
        return 1;
    };
    try {
        SettingsPtr settings = load(options.directory);
        if (auto opened = open_log(*settings); !opened) return refuse(opened.error().text());
        Logger logger(settings->str("syslog_name") + "/master");
        bool is_refused = false;
        for (const Problem& problem : check_settings(*settings, Hints::no)) {
            if (problem.level == Problem::Level::fatal) logger.fatal("{}", problem.text), is_refused = true;
            else logger.warning("{}", problem.text);
        }
        if (is_refused) return 1;
        raise_descriptor_limit();
        return Master(options, std::move(settings)).run();
    } catch (const config::ConfigError& error) {
        return refuse(error.what());
    }
}

}  // namespace ekiden::daemon
