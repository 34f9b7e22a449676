#include "daemon/log_setup.hpp"

#include "base/log_relay.hpp"
#include "base/log_sinks.hpp"

#include <algorithm>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::daemon {

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
    throw config::ConfigError("file " + settings.directory() + "/main.cf: parameter syslog_facility: unrecognized value: " + wanted, settings.location("syslog_facility"));
}

static Result<mode_t> check_maillog(const config::Settings& settings)
{
    const std::string file = settings.str("maillog_file"), permissions = settings.str("maillog_file_permissions");
    // One wrong character in main.cf shall not write log lines into anything of the system's.
    const auto prefixes = settings.list("maillog_file_prefixes");
    if (std::ranges::none_of(prefixes, [&](const std::string& prefix) { return file.starts_with(prefix); })) {
        return fail(ErrorCode::refused, fmt::format("maillog_file = {} begins with none of maillog_file_prefixes ({})", file, settings.str("maillog_file_prefixes")));
    }
    const auto mode = base::parse_log_mode(permissions);
    if (!mode) return fail(ErrorCode::syntax, fmt::format("maillog_file_permissions = {}: want 0600, 0640 or 0644", permissions));
    return *mode;
}

Result<Fd> open_maillog(const config::Settings& settings)
{
    EKIDEN_TRY_VALUE(mode, check_maillog(settings));
    return base::open_log_file(settings.str("maillog_file"), mode);
}

static Result<std::unique_ptr<base::LogSink>> make_sink(const config::Settings& settings)
{
    const std::string file = settings.str("maillog_file");
    if (file.empty()) return base::syslog_sink(syslog_facility(settings));
    EKIDEN_TRY_VALUE(mode, check_maillog(settings));
    if (file == "/dev/stdout") return base::descriptor_sink(STDOUT_FILENO, log_host(settings));
    auto sink = base::open_file_sink(file, log_host(settings), mode);
    if (!sink) return fail(std::move(sink.error()).with("maillog_file"));
    return sink;
}

Result<void> open_log(const config::Settings& settings)
{
    EKIDEN_TRY_VALUE(sink, make_sink(settings));
    base::use_sink(std::move(sink));
    return {};
}

std::string log_relay_path(const config::Settings& settings) { return settings.str("queue_directory") + "/" + std::string(base::log_relay_name); }

Result<void> open_command_log(const config::Settings& settings, bool to_terminal)
{
    std::unique_ptr<base::LogSink> sink;
    const std::string file = settings.str("maillog_file");
    auto directly = [&settings]() -> std::unique_ptr<base::LogSink> {
        auto made = make_sink(settings);
        return made ? std::move(*made) : nullptr;
    };
    auto relay = file.empty() ? Result<Fd>(fail(ErrorCode::unavailable, "syslog")) : base::connect_log_relay(log_relay_path(settings));
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

void open_inherited_log(const config::Settings& settings, int fd)
{
    if (fd < 0) base::use_sink(base::syslog_sink(syslog_facility(settings)));
    else base::use_sink(base::descriptor_sink(fd, log_host(settings)));
}

}  // namespace ekiden::daemon
