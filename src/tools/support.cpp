#include "tools/support.hpp"

#include "base/log_sinks.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

bool has_borrowed_rights() { return ::getuid() != ::geteuid() || ::getgid() != ::getegid(); }

config::SettingsPtr load(const Voice& voice, const std::string& directory)
{
    try {
        config::LoadOptions options;
        options.directory = directory;
        options.checks = config::Checks::command;
        options.read_master_cf = false;
        return config::Settings::load(options);
    } catch (const config::ConfigError& error) {
        voice.fatal(error.what());
    }
}

}  // namespace

void Voice::use_log(const config::Settings& settings)
{
    logger_ = Logger(settings.str("syslog_name") + "/" + name_);
    std::string file = settings.str("maillog_file");
    if (file.empty()) {
        base::use_sink(base::syslog_sink(LOG_MAIL));
        has_log_ = true;
        return;
    }
    // An ordinary user may not write there; the terminal has to do.
    if (file == "/dev/stdout" || ::access(file.c_str(), W_OK) != 0) return;
    std::string host = settings.str("myhostname");
    if (auto sink = base::open_file_sink(file, host.substr(0, host.find('.')))) {
        base::use_sink(std::move(*sink));
        has_log_ = true;
    }
}

void Voice::say(base::LogLevel level, std::string_view label, std::string_view text) const
{
    std::string safe = base::printable(text);
    std::fprintf(stderr, "%s: %.*s%s\n", name_.c_str(), int(label.size()), label.data(), safe.c_str());
    if (has_log_) logger_.write(level, text);
}

void Voice::info(std::string_view text) const { say(base::LogLevel::info, "", text); }
void Voice::warning(std::string_view text) const { say(base::LogLevel::warning, "warning: ", text); }
void Voice::fatal(std::string_view text) const { fatal(text, fatal_status_); }
void Voice::fatal(std::string_view text, int status) const
{
    say(base::LogLevel::fatal, "fatal: ", text);
    if (has_log_) base::flush_log();
    std::exit(status);
}

config::SettingsPtr load_settings(Voice& voice, std::string_view wanted)
{
    std::string directory(wanted);
    if (directory.empty() || has_borrowed_rights()) {
        std::string standard = "/etc/postfix";
        std::string asked = config::find_config_directory(wanted);
        if (has_borrowed_rights() && asked != standard) {
            // Whoever lends us a group must have named the directory that we believe.
            config::SettingsPtr trusted = load(voice, standard);
            auto named = trusted->list("alternate_config_directories");
            for (auto& more : trusted->list("multi_instance_directories")) named.push_back(std::move(more));
            if (std::find(named.begin(), named.end(), asked) == named.end()) voice.fatal(fmt::format("unauthorized configuration directory name: {}", asked));
        }
        directory = asked;
    }
    config::SettingsPtr settings = load(voice, directory);
    for (const config::Problem& problem : settings->problems()) voice.warning(problem.text);
    voice.use_log(*settings);
    return settings;
}

}  // namespace ekiden::tools
