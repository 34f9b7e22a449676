// What every queue command does the same way: find and read the configuration, refuse an untrusted directory when
// running with borrowed rights, say things on the terminal and in the log, and end.
#pragma once

#include "base/log.hpp"
#include "config/settings.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace ekiden::tools {

// A command's voice: "postqueue: warning: …" on standard error, "postfix/postqueue[pid]: warning: …" in the log where
// the caller may write there.
class Voice {
public:
    // `name` is the program's name for messages; `fatal_status` the exit status of fatal() (69 for postqueue, 75 for
    // sendmail, 1 elsewhere). The log may know the program by another name (mailq is sendmail there).
    Voice(std::string name, int fatal_status, std::string log_name = {})
        : name_(std::move(name)), log_name_(log_name.empty() ? name_ : std::move(log_name)), fatal_status_(fatal_status)
    {
    }
    // From then on lines go to the log too; before that only to the terminal.
    void use_log(const config::Settings& settings);

    void info(std::string_view text) const;
    void warning(std::string_view text) const;
    void error(std::string_view text) const;
    [[noreturn]] void fatal(std::string_view text) const;
    [[noreturn]] void fatal(std::string_view text, int status) const;
    const std::string& name() const { return name_; }
    bool has_log() const { return has_log_; }

private:
    void say(base::LogLevel level, std::string_view label, std::string_view text) const;
    std::string name_, log_name_;
    int fatal_status_;
    bool has_log_ = false;
    Logger logger_;
};

// Reads main.cf as every Postfix command does: `directory` is from -c (empty: MAIL_CONFIG, else the default). Ends the
// program with the file's error. A set-gid command trusts only the default directory and those that the default
// main.cf names in alternate_config_directories (or multi_instance_directories).
config::SettingsPtr load_settings(Voice& voice, std::string_view directory);

// Goes to $queue_directory, or ends the program: for those whose work is there.
void enter_queue(const Voice& voice, const config::Settings& settings);

// Ends the program unless the directory is the default one or one that the default main.cf names.
void require_known_directory(Voice& voice, const std::string& directory);

// Ends the program ("User alice(1000) is not allowed to …") unless `parameter` (authorized_submit_users…) lists the
// caller. Root and the mail owner may always do what is not submission.
void check_user(const Voice& voice, const config::Settings& settings, const char* parameter, const char* what);

// First thing in main: whoever started us with standard input, output or error closed shall not see our next file or socket
// take that number, and what we say go into it. False: the program cannot go on.
bool hold_standard_descriptors();

// For programs that run with borrowed rights, first thing in main: forgets every environment variable but MAIL_CONFIG
// and TZ.
void sanitize_environment();

// The path of another command: in $command_directory, or beside the running binary when it is not there.
std::string find_command(const config::Settings& settings, std::string_view name);
std::string beside_this_program(std::string_view name);

}  // namespace ekiden::tools
