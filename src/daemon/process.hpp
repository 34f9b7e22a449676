// Starting our own roles: this very binary, executed again with a clean address space and only the descriptors it needs.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace ekiden::daemon {

// Runs `ekiden <arguments>` with the given descriptors at the given numbers (the rest are close-on-exec). The binary is
// opened once at start, so an upgrade on disk does not mix versions within one running instance.
Result<pid_t> spawn_self(const std::vector<std::string>& arguments,
                         const std::vector<std::pair<int, int>>& descriptors);

// The descriptor number under which every role finds its channel to the master.
inline constexpr int channel_number = 3;

}  // namespace ekiden::daemon
