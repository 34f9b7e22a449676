// sendmail -bs: SMTP on standard input and output (RFC 5321) for programs that speak it to a pipe instead of a port, as
// Pine and cron jobs of old do. It is local submission: nothing is checked that would not be checked for sendmail's
// other ways in, every recipient is taken, and the message goes through postdrop with a Received line that says so.
#pragma once

#include "config/settings.hpp"
#include "tools/support.hpp"

#include <string>

namespace ekiden::tools {

// Until QUIT or the end of input; the exit status.
int speak_smtp(Voice& voice, const config::Settings& settings, const std::string& config_directory);

}  // namespace ekiden::tools
