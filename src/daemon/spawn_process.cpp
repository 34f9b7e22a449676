#include "daemon/spawn_process.hpp"

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "daemon/layout.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/privileges.hpp"
#include "daemon/process.hpp"
#include "daemon/spawn_line.hpp"
#include "deliver/local/command.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace ekiden::daemon {
namespace {

constexpr std::chrono::seconds stop_patience{2};
// Without processes or descriptors: trying again at once would spin, and running commands need the moment to end.
constexpr std::chrono::seconds pause_when_exhausted{1};
constexpr int accepts_per_turn = 16;

struct Service {
    std::string name;
    Logger logger;
    Result<SpawnLine> line;
    std::optional<SpawnAccount> account;      // once it is known
    std::string root, start_directory;        // no root: the system's
    std::vector<std::string> environment;
    std::size_t limit = 0;                    // of commands at a time; 0: none
    std::chrono::seconds time_limit{1000};
    std::size_t running = 0;
};

struct Door {
    Fd socket;
    Service* service;
};

struct Command {
    pid_t pid;
    Service* service;
    SteadyTime end;
    bool is_late = false;
    Fd trouble;       // what kept it from starting
};

// Everything is prepared before the fork; what fails after it is told through a pipe.
struct Trouble {
    char step;     // of `steps`
    int error;
};
constexpr std::pair<char, const char*> steps[] = {
    {'d', "chdir"}, {'r', "chroot"}, {'g', "setgid"}, {'u', "setuid"}, {'i', "dup2"}, {'x', "execvp"},
};

struct Start {
    const char* root;                // or nullptr
    const char* directory;
    std::optional<SpawnAccount> rights;    // none: they stay
    char* const* argv;
    char** environment;
    int connection, trouble;
    pid_t parent;
};

// After the fork: only async-signal-safe calls, for the log's thread may have been anywhere. The system calls themselves
// change the rights, since the library's functions would ask other threads to follow, which are not here.
[[noreturn]] void become_command(const Start& start)
{
    auto give_up = [&](char step) {
        const Trouble report{step, errno};
        (void)!::write(start.trouble, &report, sizeof report);
        ::_exit(1);
    };
    ::setsid();    // a group of its own, so that whatever it starts can be ended with it
    for (int signal = 1; signal < NSIG; ++signal) {
        if (signal != SIGPIPE && signal != SIGXFSZ)
            ::signal(signal, SIG_DFL);  // these two are ignored under Postfix as well
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (start.root && ::chroot(start.root) < 0) give_up('r');
    if (::chdir(start.directory) < 0) give_up('d');
    if (start.rights) {
        const gid_t gid = start.rights->gid;
        const uid_t uid = start.rights->uid;
        if (::syscall(SYS_setgroups, 1, &gid) < 0 || ::syscall(SYS_setresgid, gid, gid, gid) < 0) give_up('g');
        if (::syscall(SYS_setresuid, uid, uid, uid) < 0) give_up('u');
    }
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::dup2(start.connection, standard) < 0) give_up('i');
    }
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    ::umask(077);
    // Nobody would end it any more when its time is over.
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || ::getppid() != start.parent) ::_exit(1);
    environ = start.environment;
    ::execvp(start.argv[0], start.argv);
    give_up('x');
    ::_exit(1);
}

class Spawner {
public:
    Spawner(const config::Settings& settings, const std::vector<std::string>& names, Owner owner, Fd signals);
    int run();

private:
    void accept_some(Door& door);
    void start(Service& service, Fd connection);
    void reap();
    void report(const Command& command, int status) const;
    void end_late();
    void close_doors() { doors_.clear(); }
    void on_signal(SteadyTime now);
    void signal_all(int signal) const;
    bool is_open(const Door& door) const
    {
        return door.service->limit == 0 || door.service->running < door.service->limit;
    }
    int wait(std::vector<pollfd>& waits) const;

    Owner owner_;
    Fd signals_;
    std::vector<std::unique_ptr<Service>> services_;
    std::vector<Door> doors_;
    std::vector<Command> commands_;
    SteadyTime accepts_again_at_{};
    bool is_leaving_ = false;                 // no new connections
    std::optional<SteadyTime> killing_at_;    // the end of patience with commands that were told to end
};

std::unique_ptr<Service> make_service(const config::Settings& settings, const config::ServiceSpec& spec)
{
    const auto own = settings.for_service(spec);
    auto service =
        std::make_unique<Service>(Service{.name = spec.name,
                                          .logger = Logger(own->str("syslog_name") + "/spawn", spec.verbosity),
                                          .line = SpawnLine::from(spec)});
    const std::string queue = own->str("queue_directory");
    if (spec.is_chroot) service->root = queue;
    service->start_directory = spec.is_chroot ? "/" : queue;
    for (const auto& [name, value] : deliver::exported_environment(*own))
        service->environment.push_back(name + "=" + value);
    service->limit = static_cast<std::size_t>(
        std::max(0, spec.process_limit(static_cast<int>(own->integer("default_process_limit")))));
    service->time_limit = std::clamp(own->transport_time(spec.name, "time_limit"), std::chrono::seconds(1),
                                     std::chrono::seconds(1'000'000'000));
    return service;
}

Spawner::Spawner(const config::Settings& settings, const std::vector<std::string>& names, Owner owner, Fd signals)
    : owner_(owner), signals_(std::move(signals))
{
    int number = channel_number;
    std::string last;
    for (const std::string& name : names) {
        Fd socket(number++);
        const auto spec = std::ranges::find_if(settings.services(), [&](const config::ServiceSpec& s) {
            return s.command == "spawn" && spawn_name(s) == name;
        });
        // The files have changed since they were read; a reload will say what is in force.
        if (spec == settings.services().end()) continue;
        if (name != last) services_.push_back(make_service(settings, *spec));
        last = name;
        doors_.push_back({std::move(socket), services_.back().get()});
    }
}

void Spawner::start(Service& service, Fd connection)
{
    const Logger& logger = service.logger;
    logger.debug("connection established");
    if (!service.line) return logger.fatal("{}", service.line.error().text());
    if (!service.account) {
        const auto found = find_account(*service.line, owner_);
        if (!found) return logger.fatal("{}", found.error().text());
        service.account = *found;
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        accepts_again_at_ = base::steady_now() + pause_when_exhausted;
        return logger.warning("pipe: {}", std::strerror(errno));
    }
    Fd trouble(ends[0]), told(ends[1]);
    std::vector<char*> argv, environment;
    for (const std::string& word : service.line->command) argv.push_back(const_cast<char*>(word.c_str()));
    for (const std::string& variable : service.environment) environment.push_back(const_cast<char*>(variable.c_str()));
    argv.push_back(nullptr);
    environment.push_back(nullptr);
    Start start{service.root.empty() ? nullptr : service.root.c_str(),
                service.start_directory.c_str(),
                {},
                argv.data(),
                environment.data(),
                connection.get(),
                told.get(),
                ::getpid()};
    if (owner_.is_root) start.rights = service.account;

    const pid_t pid = ::fork();
    if (pid == 0) become_command(start);
    if (pid < 0) {
        accepts_again_at_ = base::steady_now() + pause_when_exhausted;
        return logger.warning("fork: {}", std::strerror(errno));
    }
    logger.debug("command {} runs with process id {}, for {} s at most", argv[0], pid, service.time_limit.count());
    ++service.running;
    commands_.push_back({pid, &service, base::steady_now() + service.time_limit, false, std::move(trouble)});
}

void Spawner::accept_some(Door& door)
{
    for (int i = 0; i < accepts_per_turn && is_open(door) && accepts_again_at_ <= base::steady_now(); ++i) {
        Fd connection(::accept4(door.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (connection) {
            start(*door.service, std::move(connection));
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            door.service->logger.warning("accept: {}", std::strerror(errno));
            accepts_again_at_ = base::steady_now() + pause_when_exhausted;
        } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
            continue;    // the client left before we came to it
        }
        return;
    }
}

void Spawner::report(const Command& command, int status) const
{
    const Logger& logger = command.service->logger;
    const std::string& name = command.service->line->command.front();
    Trouble trouble{};
    if (::read(command.trouble.get(), &trouble, sizeof trouble) == sizeof trouble) {
        const auto step = std::ranges::find(steps, trouble.step, &std::pair<char, const char*>::first);
        logger.fatal("{} {}: {}", step == std::end(steps) ? "start" : step->second, name, std::strerror(trouble.error));
    }
    if (killing_at_) return;    // it was told to end
    if (WIFSIGNALED(status)) logger.warning("command {} killed by signal {}", name, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0) logger.warning("command {} exit status {}", name, WEXITSTATUS(status));
    logger.debug("connection closed");
}

void Spawner::reap()
{
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto at = std::ranges::find(commands_, pid, &Command::pid);
        if (at == commands_.end()) continue;
        report(*at, status);
        --at->service->running;
        std::swap(*at, commands_.back());
        commands_.pop_back();
    }
}

void kill_group(pid_t pid, int signal)
{
    if (::kill(-pid, signal) < 0) ::kill(pid, signal);    // it has not made its group yet
}

void Spawner::signal_all(int signal) const
{
    for (const Command& command : commands_) kill_group(command.pid, signal);
}

void Spawner::end_late()
{
    const SteadyTime now = base::steady_now();
    for (Command& command : commands_) {
        if (command.is_late || now < command.end) continue;
        command.is_late = true;
        command.service->logger.warning("{}: process id {}: command time limit exceeded",
                                        command.service->line->command.front(), command.pid);
        kill_group(command.pid, SIGKILL);
    }
    if (killing_at_ && now >= *killing_at_) signal_all(SIGKILL);
}

void Spawner::on_signal(SteadyTime now)
{
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo == SIGCHLD) return reap();
    is_leaving_ = true;
    close_doors();
    if (info.ssi_signo != SIGTERM || killing_at_) return;
    killing_at_ = now + stop_patience;
    signal_all(SIGTERM);
}

// Until something is to be done; the first of `waits` is for signals, the others for the doors in their order.
int Spawner::wait(std::vector<pollfd>& waits) const
{
    const SteadyTime now = base::steady_now();
    std::optional<SteadyTime> next;
    auto consider = [&](SteadyTime at) { next = next ? std::min(*next, at) : at; };
    for (const Command& command : commands_) {
        if (!command.is_late) consider(command.end);
    }
    if (killing_at_) consider(std::max(*killing_at_, now + std::chrono::milliseconds(100)));
    const bool is_paused = now < accepts_again_at_;
    if (is_paused) consider(accepts_again_at_);
    waits.assign(1, {signals_.get(), POLLIN, 0});
    for (const Door& door : doors_) waits.push_back({is_paused || !is_open(door) ? -1 : door.socket.get(), POLLIN, 0});
    constexpr std::chrono::hours longest{1};
    const auto left = next ? std::clamp<SteadyTime::duration>(*next - now, SteadyTime::duration::zero(), longest)
                           : SteadyTime::duration(longest);
    return ::poll(waits.data(), waits.size(),
                  static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
}

int Spawner::run()
{
    std::vector<pollfd> waits;
    while (!is_leaving_ || !commands_.empty()) {
        if (wait(waits) < 0 && errno != EINTR) return 1;
        end_late();
        if (waits[0].revents) on_signal(base::steady_now());    // it may close the doors
        for (std::size_t i = 0; i < doors_.size(); ++i) {
            if (waits[i + 1].revents) accept_some(doors_[i]);
        }
    }
    return 0;
}

struct Arguments {
    std::string directory;
    std::vector<std::string> names;
    bool has_log = false, has_json = false;
};

Arguments parse(int argc, char** argv)
{
    Arguments arguments;
    int option;
    while ((option = ::getopt(argc, argv, "c:s:lj")) != -1) {
        if (option == 'c') arguments.directory = optarg;
        else if (option == 's') arguments.names.emplace_back(optarg);
        else if (option == 'l') arguments.has_log = true;
        else if (option == 'j') arguments.has_json = true;
    }
    return arguments;
}

int serve(const Arguments& arguments, pid_t master, Fd signals)
{
    const int log_number = channel_number + static_cast<int>(arguments.names.size());
    const int json_number = log_number + arguments.has_log;
    for (int number = channel_number; number < json_number + arguments.has_json; ++number)
        ::fcntl(number, F_SETFD, FD_CLOEXEC);
    config::LoadOptions load;
    load.directory = arguments.directory;
    const auto settings = config::Settings::load(load);
    import_environment(*settings);
    ::tzset();    // while /etc/localtime is in sight
    open_inherited_log(*settings, {Fd(arguments.has_log ? log_number : -1), Fd(arguments.has_json ? json_number : -1)});
    const Logger logger(settings->str("syslog_name") + "/spawn");
    const auto owner = find_owner(*settings);
    int status = 1;
    if (!owner) {
        logger.fatal("{}", owner.error().text());
    } else if (::prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || ::getppid() != master) {
        logger.fatal("the master is gone");
    } else {
        raise_descriptor_limit();
        status = Spawner(*settings, arguments.names, *owner, std::move(signals)).run();
    }
    base::flush_log();
    return status;
}

}  // namespace

std::vector<std::string> spawn_arguments(const config::Settings& settings, const std::vector<std::string>& names,
                                         bool with_log)
{
    std::vector<std::string> words{"spawn", "-c", settings.directory()};
    for (const std::string& name : names) words.insert(words.end(), {"-s", name});
    if (with_log) words.emplace_back("-l");
    return words;
}

int run_spawn(int argc, char** argv)
{
    const pid_t master = ::getppid();
    ::prctl(PR_SET_NAME, "ekiden-spawn");
    for (const int ignored : {SIGPIPE, SIGXFSZ, SIGHUP, SIGINT})
        ::signal(ignored, SIG_IGN);  // Ctrl-C reaches the whole foreground group; the master decides
    sigset_t mask;
    sigemptyset(&mask);
    for (const int signal : {SIGTERM, SIGUSR1, SIGCHLD}) sigaddset(&mask, signal);
    ::sigprocmask(SIG_BLOCK, &mask, nullptr);
    try {
        return serve(parse(argc, argv), master, Fd(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK)));
    } catch (const std::exception& error) {
        Logger("postfix/spawn").fatal("{}", error.what());
        base::flush_log();
        return 1;
    }
}

}  // namespace ekiden::daemon
