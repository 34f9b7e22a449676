// The master: reads the configuration, binds ports, starts helper and engine and keeps them running. Runs as root where
// there is root; never reads a byte from the network.
#pragma once

#include "config/settings.hpp"

#include <string>

namespace ekiden::daemon {

struct MasterOptions {
    std::string directory;        // configuration
    bool is_foreground = false;   // start-fg
    int ready_fd = -1;            // gets "ok\n" or a text for the terminal, then is closed
};
// Returns the exit status, after the mail system has stopped.
int run_master(const MasterOptions& options);

// Pid of the running master of this instance, or 0.
int find_master(const config::Settings& settings);

}  // namespace ekiden::daemon
