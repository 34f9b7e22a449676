// Several instances on one machine: `postfix start` means all of them. The manager (postmulti(1), or what the administrator
// has instead) is $multi_instance_wrapper of the default configuration.
#pragma once

#include "config/settings.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ekiden::daemon {

// Becomes the manager, with these words of the command line, where there are several instances. Returns the exit status
// if that cannot be, and nothing when the command is for this instance alone. Who names an instance (-c, MAIL_CONFIG) means
// that one and need not ask.
std::optional<int> hand_to_manager(const config::Settings& settings, const std::vector<std::string>& words);

}  // namespace ekiden::daemon
