// Is this configuration fit to run? Asks every folder that can tell.
#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <vector>

namespace ekiden::daemon {

// Everything that keeps these settings from running, and what should be said about them; fatal ones first. The same
// check for `postfix check`, start and reload. Hints at likely mistakes are for whoever typed the command: the server's
// log leaves them out. What single entries of tables ask for takes reading all of them, which no start waits for.
enum class Hints : std::uint8_t { no, yes, of_entries };
std::vector<config::Problem> check_settings(const config::Settings& settings, Hints hints);

}  // namespace ekiden::daemon
