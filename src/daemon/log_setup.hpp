// Where the lines of this instance go: maillog_file (a file, or /dev/stdout for containers), else syslog with
// syslog_facility. With ekiden_log_format = json a record of each line goes to ekiden_log_file too (log_json.hpp). For every
// process of an instance and for the commands.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"

namespace ekiden::daemon {

// First label of $myhostname: the host column of maillog_file lines.
std::string log_host(const config::Settings& settings);
int syslog_facility(const config::Settings& settings);
// Installs the sink. A maillog_file that cannot be opened is an error: mail without a log is a blind flight.
Result<void> open_log(const config::Settings& settings);
// maillog_file, checked against maillog_file_prefixes, opened for appending; a new one gets maillog_file_permissions.
Result<Fd> open_maillog(const config::Settings& settings);
bool wants_json_log(const config::Settings& settings);
// What is wrong with maillog_file, info_log_address_format, ekiden_log_format and ekiden_log_file, so that the server
// cannot start; nothing is created.
std::vector<config::Problem> find_log_problems(const config::Settings& settings);
// ekiden_log_file, to which the same rules apply.
Result<Fd> open_json_log(const config::Settings& settings);
// What the master hands to the processes that may not open files: of each where it is used and can be opened.
struct LogFiles {
    Fd lines, json;
};
LogFiles open_log_files(const config::Settings& settings);
// Where a command's lines go: to the running master where there is one, who owns the file; else as open_log() says.
// `to_terminal`: on standard error too.
Result<void> open_command_log(const config::Settings& settings, bool to_terminal);
// The socket of the running master for the lines of commands.
std::string log_relay_path(const config::Settings& settings);
// Lines go to a descriptor that the master opened, else to syslog; records to the other one, if there is one.
void open_inherited_log(const config::Settings& settings, LogFiles files);
// Do these settings log to the same places? If not, open_log() and open_inherited_log() may be called again while the
// process runs and other threads log: what they say goes to one place or the other, and nothing is lost.
bool have_same_log(const config::Settings& one, const config::Settings& other);

}  // namespace ekiden::daemon
