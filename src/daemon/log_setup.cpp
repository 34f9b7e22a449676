#include "daemon/log_setup.hpp"

#include "base/log_relay.hpp"
#include "base/log_sinks.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

// The sink of a process that reloads its settings: what it writes to may be exchanged while other threads say something.
class ExchangeableSink : public base::LogSink {
public:
    using Shared = std::shared_ptr<base::LogSink>;

    explicit ExchangeableSink(Shared first) : current_(std::move(first)) {}
    void write(base::LogLevel level, std::string_view tag, std::string_view label, std::string_view text) override
    {
        current_.load()->write(level, tag, label, text);
    }
    void write_for(pid_t pid, base::LogLevel level, std::string_view tag, std::string_view label,
                   std::string_view text) override
    {
        current_.load()->write_for(pid, level, tag, label, text);
    }
    void flush() override { current_.load()->flush(); }
    void reopen() override { current_.load()->reopen(); }
    // What was said to the one before is written when the last thread has let go of it.
    void exchange(Shared next) { current_.exchange(std::move(next))->flush(); }

private:
    std::atomic<Shared> current_;
};

ExchangeableSink* installed = nullptr;     // set once, by the first thread

void install(std::unique_ptr<base::LogSink> made)
{
    if (installed != nullptr) return installed->exchange(std::move(made));
    auto sink = std::make_unique<ExchangeableSink>(std::move(made));
    installed = sink.get();
    base::use_sink(std::move(sink));
}

// Descriptors of the master's that end with the sink that writes to them.
class InheritedSink : public base::LogSink {
public:
    InheritedSink(LogFiles files, std::unique_ptr<base::LogSink> sink) : files_(std::move(files)), sink_(std::move(sink))
    {
    }
    void write(base::LogLevel level, std::string_view tag, std::string_view label, std::string_view text) override
    {
        sink_->write(level, tag, label, text);
    }
    void write_for(pid_t pid, base::LogLevel level, std::string_view tag, std::string_view label,
                   std::string_view text) override
    {
        sink_->write_for(pid, level, tag, label, text);
    }
    void flush() override { sink_->flush(); }

private:
    LogFiles files_;
    std::unique_ptr<base::LogSink> sink_;      // ends first
};

}  // namespace

bool have_same_log(const config::Settings& one, const config::Settings& other)
{
    static constexpr std::string_view parameters[] = {"maillog_file", "ekiden_log_format", "ekiden_log_file",
                                                      "syslog_facility", "myhostname"};
    return std::ranges::all_of(parameters, [&](std::string_view name) { return one.str(name) == other.str(name); });
}

std::string log_host(const config::Settings& settings)
{
    std::string name = settings.str("myhostname");
    return name.substr(0, name.find('.'));
}

int syslog_facility(const config::Settings& settings)
{
    static constexpr std::pair<std::string_view, int> facilities[] = {
        {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},     {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},
        {"kern", LOG_KERN},     {"lpr", LOG_LPR},           {"mail", LOG_MAIL},     {"news", LOG_NEWS},     {"syslog", LOG_SYSLOG},
        {"user", LOG_USER},     {"uucp", LOG_UUCP},         {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
        {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},     {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
    };
    std::string wanted = settings.str("syslog_facility");
    for (const auto& [name, value] : facilities) {
        if (name == wanted) return value;
    }
    throw config::ConfigError("file " + settings.directory() +
                                  "/main.cf: parameter syslog_facility: unrecognized value: " + wanted,
                              settings.location("syslog_facility"));
}

// `parameter`: the one that names the file.
static Result<mode_t> check_log_file(const config::Settings& settings, std::string_view parameter)
{
    const std::string file = settings.str(parameter), permissions = settings.str("maillog_file_permissions");
    // One wrong character in main.cf shall not write log lines into anything of the system's.
    const auto prefixes = settings.list("maillog_file_prefixes");
    if (std::ranges::none_of(prefixes, [&](const std::string& prefix) { return file.starts_with(prefix); })) {
        return fail(ErrorCode::refused, fmt::format("{} = {} begins with none of maillog_file_prefixes ({})", parameter,
                                                    file, settings.str("maillog_file_prefixes")));
    }
    const auto mode = base::parse_log_mode(permissions);
    if (!mode)
        return fail(ErrorCode::syntax,
                    fmt::format("maillog_file_permissions = {}: want 0600, 0640 or 0644", permissions));
    return *mode;
}

Result<Fd> open_maillog(const config::Settings& settings)
{
    EKIDEN_TRY_VALUE(mode, check_log_file(settings, "maillog_file"));
    return base::open_log_file(settings.str("maillog_file"), mode);
}

bool wants_json_log(const config::Settings& settings) { return settings.str("ekiden_log_format") == "json"; }

// Looked at before the start, since the master has nowhere to say it.
static std::string find_maillog_problem(const config::Settings& settings)
{
    const std::string file = settings.str("maillog_file");
    if (file.empty()) return {};
    if (auto checked = check_log_file(settings, "maillog_file"); !checked) return checked.error().text();
    const auto slash = file.rfind('/');
    if (file == "/dev/stdout" || slash == 0 || slash == std::string::npos) return {};
    const std::string folder = file.substr(0, slash);
    struct stat found{};
    if (::stat(folder.c_str(), &found) == 0) return {};
    return fmt::format("maillog_file = {}: {}: {}", file, folder, std::strerror(errno));
}

static std::string find_json_log_problem(const config::Settings& settings)
{
    const std::string format = settings.str("ekiden_log_format");
    if (format.empty()) return {};
    if (format != "json")
        return fmt::format("parameter ekiden_log_format: unrecognized value: {} (want json, or nothing)", format);
    if (settings.str("ekiden_log_file").empty()) return "ekiden_log_format = json wants a file: set ekiden_log_file";
    auto checked = check_log_file(settings, "ekiden_log_file");
    return checked ? std::string() : checked.error().text();
}

std::vector<config::Problem> find_log_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems;
    auto add = [&](std::string_view parameter, const std::string& text) {
        if (!text.empty())
            problems.push_back(
                config::make_problem(config::Problem::Level::fatal, settings.location(parameter), text, parameter));
    };
    add("maillog_file", find_maillog_problem(settings));
    if (const std::string form = settings.str("info_log_address_format"); form != "external" && form != "internal")
        add("info_log_address_format",
            fmt::format("parameter info_log_address_format: unrecognized value: {} (want external or internal)", form));
    add("ekiden_log_format", find_json_log_problem(settings));
    return problems;
}

Result<Fd> open_json_log(const config::Settings& settings)
{
    EKIDEN_TRY_VALUE(mode, check_log_file(settings, "ekiden_log_file"));
    return base::open_log_file(settings.str("ekiden_log_file"), mode);
}

static Result<std::unique_ptr<base::LogSink>> make_json_sink(const config::Settings& settings)
{
    const std::string file = settings.str("ekiden_log_file");
    EKIDEN_TRY_VALUE(mode, check_log_file(settings, "ekiden_log_file"));
    if (file == "/dev/stdout") return base::descriptor_sink(STDOUT_FILENO, log_host(settings), base::LogFormat::json);
    auto sink = base::open_file_sink(file, log_host(settings), mode, base::LogFormat::json);
    if (!sink) return fail(std::move(sink.error()).with("ekiden_log_file"));
    return sink;
}

static Result<std::unique_ptr<base::LogSink>> make_line_sink(const config::Settings& settings)
{
    const std::string file = settings.str("maillog_file");
    if (file.empty()) return base::syslog_sink(syslog_facility(settings));
    EKIDEN_TRY_VALUE(mode, check_log_file(settings, "maillog_file"));
    if (file == "/dev/stdout") return base::descriptor_sink(STDOUT_FILENO, log_host(settings));
    auto sink = base::open_file_sink(file, log_host(settings), mode);
    if (!sink) return fail(std::move(sink.error()).with("maillog_file"));
    return sink;
}

static Result<std::unique_ptr<base::LogSink>> make_sink(const config::Settings& settings)
{
    auto lines = make_line_sink(settings);
    if (!lines || !wants_json_log(settings)) return lines;
    EKIDEN_TRY_VALUE(json, make_json_sink(settings));
    return base::tee_sink(std::move(*lines), std::move(json));
}

Result<void> open_log(const config::Settings& settings)
{
    EKIDEN_TRY_VALUE(sink, make_sink(settings));
    install(std::move(sink));
    return {};
}

std::string log_relay_path(const config::Settings& settings)
{
    return settings.str("queue_directory") + "/" + std::string(base::log_relay_name);
}

LogFiles open_log_files(const config::Settings& settings)
{
    const auto open = [&](const std::string& path, Result<Fd> (*open_file)(const config::Settings&)) {
        if (path == "/dev/stdout") return Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
        auto opened = open_file(settings);
        return opened ? std::move(*opened) : Fd();
    };
    LogFiles files;
    if (const std::string path = settings.str("maillog_file"); !path.empty()) files.lines = open(path, open_maillog);
    if (wants_json_log(settings)) files.json = open(settings.str("ekiden_log_file"), open_json_log);
    return files;
}

Result<void> open_command_log(const config::Settings& settings, bool to_terminal)
{
    std::unique_ptr<base::LogSink> sink;
    const std::string file = settings.str("maillog_file");
    auto directly = [&settings]() -> std::unique_ptr<base::LogSink> {
        auto made = make_sink(settings);
        return made ? std::move(*made) : nullptr;
    };
    // Who may write to syslog may not write the records: the master does both.
    auto relay = file.empty() && !wants_json_log(settings) ? Result<Fd>(fail(ErrorCode::unavailable, "syslog"))
                                                           : base::connect_log_relay(log_relay_path(settings));
    if (relay) {
        // The settings end with the process.
        sink = base::relay_sink(std::move(*relay), directly);
    } else if (file != "/dev/stdout") {
        EKIDEN_TRY_VALUE(made, make_sink(settings));
        sink = std::move(made);
    }
    if (!sink) sink = base::stderr_sink();
    else if (to_terminal) sink = base::tee_sink(base::stderr_sink(), std::move(sink));
    base::use_sink(std::move(sink));
    return {};
}

void open_inherited_log(const config::Settings& settings, LogFiles files)
{
    auto lines = files.lines ? base::descriptor_sink(files.lines.get(), log_host(settings))
                             : base::syslog_sink(syslog_facility(settings));
    if (files.json)
        lines = base::tee_sink(std::move(lines),
                               base::descriptor_sink(files.json.get(), log_host(settings), base::LogFormat::json));
    install(std::make_unique<InheritedSink>(std::move(files), std::move(lines)));
}

}  // namespace ekiden::daemon
