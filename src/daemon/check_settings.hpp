// Is this configuration fit to run? Asks every folder that can tell.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::daemon {

// Everything that keeps these settings from running, and what should be said about them; fatal ones first. The same
// check for `postfix check`, start and reload. Hints at likely mistakes are for whoever typed the command: the server's
// log leaves them out.
enum class Hints : bool { no, yes };
std::vector<config::Problem> check_settings(const config::Settings& settings, Hints hints);

}  // namespace ekiden::daemon
