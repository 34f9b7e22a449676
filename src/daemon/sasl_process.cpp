#include "daemon/sasl_process.hpp"

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "daemon/layout.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/privileges.hpp"
#include "daemon/process.hpp"
#include "sasl/cyrus_config.hpp"
#include "sasl/cyrus_name.hpp"
#include "sasl/cyrus_server.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::daemon {
namespace {

constexpr int log_number = channel_number + 1;
constexpr std::chrono::seconds offer_limit{10};
constexpr std::size_t longest_offer = 65536;

struct Arguments {
    std::string directory, application, config_path, hostname;
    bool is_chrooted = false, has_log = false, has_json = false, is_offer = false;
    // The numbers of what the master opened for us; -1 where there is none.
    int lines() const { return has_log ? log_number : -1; }
    int json() const { return has_json ? log_number + has_log : -1; }
};

Arguments parse(int argc, char** argv)
{
    Arguments arguments;
    int option;
    while ((option = ::getopt(argc, argv, "c:p:q:n:rljo")) != -1) {
        switch (option) {
        case 'c': arguments.directory = optarg; break;
        case 'p': arguments.application = optarg; break;
        case 'q': arguments.config_path = optarg; break;
        case 'n': arguments.hostname = optarg; break;
        case 'r': arguments.is_chrooted = true; break;
        case 'l': arguments.has_log = true; break;
        case 'j': arguments.has_json = true; break;
        case 'o': arguments.is_offer = true; break;
        default: break;
        }
    }
    return arguments;
}

sasl::CyrusOptions options_of(const Arguments& arguments)
{
    return {arguments.application, sasl::cyrus_search_path(arguments.directory, arguments.config_path),
            arguments.hostname};
}

// libsasl2 and its plug-ins free what held passwords without wiping all of it: have malloc write over what is freed.
void overwrite_freed_memory()
{
    ::mallopt(M_PERTURB, 0xA5);
}

// Passwords pass through this memory.
void leave_no_core()
{
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
}

// `master`: whose child this is; it does not outlive him.
Result<void> become_mail_owner(const config::Settings& settings, const Owner& owner, bool is_chrooted, pid_t master)
{
    if (owner.is_root) {
        // While /etc/group is still in sight.
        if (::initgroups(settings.str("mail_owner").c_str(), owner.gid) < 0)
            return fail(Error::from_errno("initgroups"));
        const std::string root = settings.str("queue_directory");
        if (is_chrooted && (::chroot(root.c_str()) < 0 || ::chdir("/") < 0))
            return fail(Error::from_errno("chroot", root));
        if (::setresgid(owner.gid, owner.gid, owner.gid) < 0) return fail(Error::from_errno("setresgid"));
        if (::setresuid(owner.uid, owner.uid, owner.uid) < 0) return fail(Error::from_errno("setresuid"));
    }
    leave_no_core();    // a change of user puts "dumpable" back to the system's default, and forgets the next
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || ::getppid() != master)
        return fail(ErrorCode::closed, "the master is gone");
    return forbid_programs();
}

// With the rights with which the process will look for them, and with its groups.
std::vector<std::string> find_absences(const Arguments& arguments)
{
    config::LoadOptions load;
    load.directory = arguments.directory;
    load.read_master_cf = false;
    const auto settings = config::Settings::load(load);
    const auto owner = find_owner(*settings);
    if (!owner) return {}; // that is named elsewhere
    std::string user = settings->str("mail_owner");
    if (const passwd* const own = owner->is_root ? nullptr : ::getpwuid(::geteuid())) user = own->pw_name;
    sasl::CyrusConfig config;
    const auto options = options_of(arguments);
    if (const auto path = sasl::find_cyrus_config(options.search_path, options.application)) {
        if (auto read = sasl::read_cyrus_config(*path)) config = std::move(*read);
    }
    if (owner->is_root &&
        (::initgroups(user.c_str(), owner->gid) < 0 || ::setresgid(owner->gid, owner->gid, owner->gid) < 0 ||
         ::setresuid(owner->uid, owner->uid, owner->uid) < 0))
        return {};
    // An ordinary user's processes stay where they are, and stay his.
    const bool is_chrooted = arguments.is_chrooted && owner->is_root;
    return sasl::find_cyrus_absences(config, is_chrooted ? settings->str("queue_directory") : "", user);
}

int print_offer(const Arguments& arguments)
{
    std::vector<std::string> lines;
    const auto opened = sasl::open_cyrus(options_of(arguments), lines);
    std::string text;
    for (const std::string& line : lines) text += "LOG " + base::printable(line) + "\n";
    if (!opened) text += "LOG warning: " + opened.error().text() + "\n";
    else {
        for (const auto& mechanism : sasl::cyrus_mechanisms())
            text += fmt::format("MECH {} {}\n", int{mechanism.properties}, mechanism.name);
    }
    for (const std::string& absence : find_absences(arguments)) text += "LACK " + base::printable(absence) + "\n";
    return base::write_all(channel_number, text) ? 0 : 1;
}

void log_lines(const Logger& logger, const std::vector<std::string>& lines)
{
    constexpr std::string_view warning = "warning: ", info = "info: ";
    for (const std::string& line : lines) {
        if (line.starts_with(warning)) logger.warning("{}", line.substr(warning.size()));
        else logger.info("{}", line.substr(line.starts_with(info) ? info.size() : 0));
    }
}

int serve(const Arguments& arguments, pid_t master, Fd listener, Fd stop)
{
    config::LoadOptions load;
    load.directory = arguments.directory;
    const auto settings = config::Settings::load(load);
    import_environment(*settings);
    ::tzset();    // while /etc/localtime is in sight
    open_inherited_log(*settings, {Fd(arguments.lines()), Fd(arguments.json())});
    // What Postfix's smtpd would say stands under its name.
    const Logger logger(settings->str("syslog_name") + "/smtpd");

    std::vector<std::string> lines;
    const auto opened = sasl::open_cyrus(options_of(arguments), lines);
    log_lines(logger, lines);
    auto ready = opened;
    if (!opened) logger.warning("SASL per-process initialization failed: {}", opened.error().text());
    if (ready) {
        auto owner = find_owner(*settings);
        ready = owner ? become_mail_owner(*settings, *owner, arguments.is_chrooted, master)
                      : Result<void>(std::unexpected(owner.error()));
        if (!ready) logger.fatal("{}", ready.error().text());
    }
    if (!ready) {
        base::flush_log();
        return 1;
    }
    ::umask(0077);
    raise_descriptor_limit();

    sasl::CyrusServerOptions options;
    options.mechanisms = sasl::cyrus_mechanisms();
    options.log = logger;
    if (options.mechanisms.empty()) logger.warning("no SASL authentication mechanisms");
    const auto end = sasl::CyrusServer(std::move(listener), std::move(stop), std::move(options)).run();
    if (end == sasl::CyrusServer::End::stuck)
        logger.warning("SASL: every thread waits for a password service that does not answer; starting anew");
    base::flush_log();
    return end == sasl::CyrusServer::End::stuck ? 1 : 0;
}

}  // namespace

std::string SaslSetup::name() const
{
    return sasl::cyrus_socket_name(application, config_path, is_chrooted);
}

std::optional<SaslSetup> sasl_setup_of(const config::Settings& own, const config::ServiceSpec& service)
{
    if (!own.boolean("smtpd_sasl_auth_enable") || own.str("smtpd_sasl_type") != "cyrus") return std::nullopt;
    return SaslSetup{own.str("smtpd_sasl_path"), own.str("cyrus_sasl_config_path"), own.str("myhostname"),
                     service.is_chroot,
                     own.location(own.is_set("smtpd_sasl_path") ? "smtpd_sasl_path" : "smtpd_sasl_auth_enable")};
}

std::vector<SaslSetup> find_sasl_setups(const config::Settings& settings)
{
    std::vector<SaslSetup> setups;
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "smtpd") continue;
        auto setup = sasl_setup_of(*settings.for_service(service), service);
        if (!setup) continue;
        const std::string name = setup->name();
        if (std::ranges::none_of(setups, [&](const SaslSetup& known) { return known.name() == name; }))
            setups.push_back(std::move(*setup));
    }
    return setups;
}

std::vector<std::string> sasl_arguments(const config::Settings& settings, const SaslSetup& setup, bool with_log)
{
    std::vector<std::string> words{
        "sasl", "-c", settings.directory(), "-p", setup.application, "-q", setup.config_path, "-n", setup.hostname};
    if (setup.is_chrooted) words.emplace_back("-r");
    if (with_log) words.emplace_back("-l");
    return words;
}

int run_sasl(int argc, char** argv)
{
    const pid_t master = ::getppid();
    ::prctl(PR_SET_NAME, "ekiden-sasl");
    leave_no_core();
    overwrite_freed_memory();
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);    // Ctrl-C reaches the whole foreground group; the master decides
    const Arguments arguments = parse(argc, argv);
    try {
        if (arguments.is_offer) return print_offer(arguments);
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &mask, nullptr);
        Fd stop(::signalfd(-1, &mask, SFD_CLOEXEC));
        for (const int inherited : {channel_number, arguments.lines(), arguments.json()}) {
            if (inherited >= 0) ::fcntl(inherited, F_SETFD, FD_CLOEXEC);
        }
        const int status = serve(arguments, master, Fd(channel_number), std::move(stop));
        // Threads may still be inside the library; nothing of it may be torn down under them.
        ::_exit(status);
    } catch (const std::exception& error) {
        Logger("postfix/smtpd").fatal("{}", error.what());
        base::flush_log();
        ::_exit(1);
    }
}

Result<SaslOffer> ask_sasl_offer(const config::Settings& settings, const SaslSetup& setup)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return fail(Error::from_errno("pipe"));
    const Fd from(ends[0]);
    Fd to(ends[1]);
    auto words = sasl_arguments(settings, setup, false);
    words.emplace_back("-o");
    EKIDEN_TRY_VALUE(pid, spawn_self(words, {{to.get(), channel_number}}));
    to.reset();
    std::string text;
    const auto limit = base::steady_now() + offer_limit;
    while (text.size() < longest_offer) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit - base::steady_now()).count();
        pollfd wait{from.get(), POLLIN, 0};
        const int count = left > 0 ? ::poll(&wait, 1, static_cast<int>(left)) : 0;
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        char buffer[4096];
        const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
        if (got <= 0) break;
        text.append(buffer, static_cast<std::size_t>(got));
    }
    ::kill(pid, SIGKILL);    // it has ended by itself, or never would
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    SaslOffer offer;
    for (const auto line : base::split_any(text, "\n")) {
        const std::size_t blank = line.find(' ');
        const std::string_view word = line.substr(0, blank);
        std::string_view rest = blank == line.npos ? "" : line.substr(blank + 1);
        if (word == "LOG") offer.complaints.emplace_back(rest);
        if (word == "LACK") offer.absences.emplace_back(rest);
        if (word != "MECH") continue;
        const std::size_t end = rest.find(' ');
        const auto properties = base::parse_number<sasl::Properties>(rest.substr(0, end));
        if (end == rest.npos || !properties) continue;
        offer.mechanisms.push_back({std::string(rest.substr(end + 1)), *properties});
    }
    return offer;
}

}  // namespace ekiden::daemon
