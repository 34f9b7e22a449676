// The words of postfix(1), each a function: 0, or the exit status of what went wrong, which has been said. One thread.
#pragma once

#include "base/log.hpp"
#include "config/settings.hpp"
#include "daemon/postfix_findings.hpp"

#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

namespace ekiden::daemon::postfix {

class Command {
public:
    Command(config::SettingsPtr settings, std::string directory)
        : settings_(std::move(settings)), directory_(std::move(directory)),
          script_(settings_->str("syslog_name") + "/postfix-script")
    {
    }

    int start(bool is_foreground);
    int stop(bool is_abort);
    int quick_stop();
    int reload();
    int flush();
    int check(const CheckStyle& style = {});
    int status();
    int set_permissions(const std::string& word, bool has_arguments);
    int rotate();
    int tls();
    int unknown(const std::string& word);

    void warn_of_old_level();
    void print_postconf_warnings();
    void repeat_warnings(std::initializer_list<const char*> programs);

private:
    bool report(const std::vector<config::Problem>& problems, const CheckStyle& style);
    int report_unreadable(const config::ConfigError& error, const CheckStyle& style);
    std::string postconf() const { return settings_->str("command_directory") + "/postconf"; }
    int refuse_master_cf(const config::ConfigError& error);
    void print_master_cf_fault(const std::string& text);
    int not_running();
    int refuse(const std::string& why);
    bool may_signal(int pid);
    bool wait_until_gone(std::chrono::seconds limit);

    config::SettingsPtr settings_;
    std::string directory_;
    Logger script_;
};

}  // namespace ekiden::daemon::postfix
