// The role "spawn": runs a command for each connection to a spawn(8) service of master.cf, with the connection as its
// standard input, output and error. One process serves all such lines. It keeps the rights of its starter (root), for
// it becomes another user for each command; it accepts connections but reads no byte from them.
//
// A command runs as user= with no other group, in a session and process group of its own, in $queue_directory (with
// chroot: that is its root), with umask 077, what export_environment names, and no other descriptor. After
// <service>_time_limit the group is killed. SIGUSR1: no new connections, and the process ends with the last command (a
// successor serves already). SIGTERM: the commands are told to end, and are killed when they have not after two
// seconds.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace ekiden::daemon {

// The command line of the role. `names`: spawn_name() of the line that each listening socket belongs to; the process
// finds the sockets from channel_number on, in this order, and the mail log's file (if with_log) behind them.
std::vector<std::string> spawn_arguments(const config::Settings& settings, const std::vector<std::string>& names,
                                         bool with_log);
int run_spawn(int argc, char** argv);

}  // namespace ekiden::daemon
