#include "tools/support.hpp"

#include "base/log_relay.hpp"
#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "config/checks.hpp"
#include "table/match_list.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr std::string_view standard_directory = "/etc/postfix";

bool has_borrowed_rights() { return ::getuid() != ::geteuid() || ::getgid() != ::getegid(); }

config::SettingsPtr load(const Voice& voice, const std::string& directory)
{
    try {
        config::LoadOptions options;
        options.directory = directory;
        options.checks = config::Checks::command;
        options.read_master_cf = false;
        config::SettingsPtr settings = config::Settings::load(options);
        // Others may run an instance of their own, where there is no such user.
        if (::getuid() == 0) config::check_owner(*settings);
        return settings;
    } catch (const config::ConfigError& error) {
        voice.fatal(error.what());
    }
}

}  // namespace

void Voice::use_log(const config::Settings& settings)
{
    logger_ = Logger(settings.str("syslog_name") + "/" + log_name_);
    has_log_ = true;
    const std::string file = settings.str("maillog_file");
    // What the caller cannot write there goes to syslog: said on the terminal only, it would be lost.
    auto directly = [file, host = settings.str("myhostname"),
                     permissions = settings.str("maillog_file_permissions")]() -> std::unique_ptr<base::LogSink> {
        const bool is_missing = ::access(file.c_str(), F_OK) != 0;
        const bool may_write =
            is_missing ? ::geteuid() == 0 && !has_borrowed_rights() : ::access(file.c_str(), W_OK) == 0;
        if (!file.empty() && file != "/dev/stdout" && may_write) {
            if (auto sink = base::open_file_sink(file, host.substr(0, host.find('.')),
                                                 base::parse_log_mode(permissions).value_or(0600)))
                return std::move(*sink);
        }
        return base::syslog_sink(LOG_MAIL);
    };
    // The master, where it runs, writes the records of ekiden_log_format too.
    if (!file.empty() || settings.str("ekiden_log_format") == "json") {
        if (auto relay =
                base::connect_log_relay(settings.str("queue_directory") + "/" + std::string(base::log_relay_name))) {
            base::use_sink(base::relay_sink(std::move(*relay), directly));
            return;
        }
    }
    base::use_sink(directly());
}

void Voice::say(base::LogLevel level, std::string_view label, std::string_view text) const
{
    std::string safe = base::printable(text);
    std::fprintf(stderr, "%s: %.*s%s\n", name_.c_str(), int(label.size()), label.data(), safe.c_str());
    if (has_log_) logger_.write(level, text);
}

void Voice::info(std::string_view text) const { say(base::LogLevel::info, "", text); }
void Voice::warning(std::string_view text) const { say(base::LogLevel::warning, "warning: ", text); }
void Voice::error(std::string_view text) const { say(base::LogLevel::error, "error: ", text); }
void Voice::fatal(std::string_view text) const { fatal(text, fatal_status_); }
void Voice::fatal(std::string_view text, int status) const
{
    say(base::LogLevel::fatal, "fatal: ", text);
    if (has_log_) base::flush_log();
    std::exit(status);
}

void require_known_directory(Voice& voice, const std::string& directory)
{
    if (directory == standard_directory) return;
    const config::SettingsPtr trusted = load(voice, std::string(standard_directory));
    for (const char* parameter : {"alternate_config_directories", "multi_instance_directories"}) {
        const auto named = trusted->list(parameter);
        if (std::ranges::find(named, directory) != named.end()) return;
    }
    voice.error(fmt::format("unauthorized configuration directory name: {}", directory));
    voice.fatal(fmt::format(
        "specify \"alternate_config_directories = {0}\" or \"multi_instance_directories = {0}\" in {1}/main.cf",
        directory, standard_directory));
}

config::SettingsPtr load_settings(Voice& voice, std::string_view wanted)
{
    std::string directory(wanted);
    if (directory.empty() || has_borrowed_rights()) {
        directory = config::find_config_directory(wanted);
        // Whoever lends us a group must have named the directory that we believe.
        if (has_borrowed_rights()) require_known_directory(voice, directory);
    }
    config::SettingsPtr settings = load(voice, directory);
    // postlog speaks to the log, and to who watches.
    if (voice.name() != "postlog" || ::isatty(STDERR_FILENO) == 1)
        for (const config::Problem& problem : settings->problems()) voice.warning(problem.text);
    voice.use_log(*settings);
    return settings;
}

void enter_queue(const Voice& voice, const config::Settings& settings)
{
    const std::string queue = settings.str("queue_directory");
    if (::chdir(queue.c_str()) != 0) voice.fatal(Error::from_errno("chdir", queue).text());
}

void check_user(const Voice& voice, const config::Settings& settings, const char* parameter, const char* what)
{
    const uid_t uid = ::getuid();
    const std::string value = settings.str(parameter);
    // Who may read the queue's files anyway is not asked; for submission even root is.
    const bool is_about_queue = std::string_view(parameter) != "authorized_submit_users";
    if (value == "static:anyone" || (uid == 0 && is_about_queue)) return;
    const passwd* user = ::getpwuid(uid);
    const std::string name = user ? user->pw_name : "unknown";
    if (is_about_queue && name == settings.str("mail_owner")) return;
    const auto allowed = table::MatchList::open(parameter, value, table::MatchList::Kind::names).matches_name_now(name);
    if (!allowed) voice.warning(allowed.error().text());
    if (!allowed || !*allowed) voice.fatal(fmt::format("User {}({}) is not allowed to {}", name, uid, what));
}

bool hold_standard_descriptors()
{
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(number, F_GETFD) >= 0) continue;
        // The lowest free number is this one. Reading there and writing fail, as they would have.
        if (::open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY) != number) return false;
    }
    return true;
}

void sanitize_environment()
{
    if (!has_borrowed_rights()) return;
    std::vector<std::pair<const char*, std::string>> kept;
    for (const char* name : {"MAIL_CONFIG", "TZ"}) {
        if (const char* value = std::getenv(name)) kept.emplace_back(name, value);
    }
    ::clearenv();
    for (const auto& [name, value] : kept) ::setenv(name, value.c_str(), 1);
}

std::string beside_this_program(std::string_view name)
{
    char path[4096];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0 || static_cast<std::size_t>(length) >= sizeof path) return {};
    const std::string_view own(path, static_cast<std::size_t>(length));
    return std::string(own.substr(0, own.rfind('/') + 1)) + std::string(name);
}

std::string find_command(const config::Settings& settings, std::string_view name)
{
    std::string path = settings.str("command_directory") + "/" + std::string(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
    std::string beside = beside_this_program(name);
    return !beside.empty() && ::access(beside.c_str(), X_OK) == 0 ? beside : path;
}

}  // namespace ekiden::tools
