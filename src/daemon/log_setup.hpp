// Where the lines of this instance go: maillog_file (a file, or /dev/stdout for containers), else syslog with
// syslog_facility. For every process of an instance and for the commands.
#pragma once

#include "base/result.hpp"
#include "config/settings.hpp"

namespace ekiden::daemon {

// First label of $myhostname: the host column of maillog_file lines.
std::string log_host(const config::Settings& settings);
int syslog_facility(const config::Settings& settings);
// Installs the sink. A maillog_file that cannot be opened is an error: mail without a log is a blind flight.
Result<void> open_log(const config::Settings& settings);
// The engine's: lines go to a descriptor that the master opened, or to syslog (fd -1).
void open_inherited_log(const config::Settings& settings, int fd);

}  // namespace ekiden::daemon
