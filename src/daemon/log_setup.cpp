#include "daemon/log_setup.hpp"

#include "base/log_sinks.hpp"

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

Result<void> open_log(const config::Settings& settings)
{
    std::string file = settings.str("maillog_file");
    if (file.empty()) {
        base::use_sink(base::syslog_sink(syslog_facility(settings)));
    } else if (file == "/dev/stdout") {
        base::use_sink(base::descriptor_sink(STDOUT_FILENO, log_host(settings)));
    } else {
        auto sink = base::open_file_sink(file, log_host(settings));
        if (!sink) return fail(std::move(sink.error()).with("maillog_file"));
        base::use_sink(std::move(*sink));
    }
    return {};
}

void open_inherited_log(const config::Settings& settings, int fd)
{
    if (fd < 0) base::use_sink(base::syslog_sink(syslog_facility(settings)));
    else base::use_sink(base::descriptor_sink(fd, log_host(settings)));
}

}  // namespace ekiden::daemon
