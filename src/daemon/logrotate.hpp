// `postfix logrotate`: maillog_file, and the records of ekiden_log_file where they are written to a file.
#pragma once

#include "base/log.hpp"
#include "config/settings.hpp"

namespace ekiden::daemon {

// Renames the files with maillog_file_rotate_suffix behind their names, has the running system open new ones, and runs
// maillog_file_compressor on the old ones. Nothing is renamed unless all can be. What keeps it from that is logged; the
// exit status of the command. Blocks until the compressor has ended.
int rotate_logs(const config::Settings& settings, const Logger& log);

} // namespace ekiden::daemon
