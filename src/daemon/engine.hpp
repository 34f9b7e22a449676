// The engine: everything between the network and the disk, as mail_owner, many threads, no programs. Builds its world
// from a settings snapshot, swaps it on reload, stops in order.
#pragma once

#include <string>

namespace ekiden::daemon {

// Role entry: `ekiden engine -c DIR`, with the channel to the master at descriptor 3. Returns the exit status.
int run_engine(const std::string& directory);

}  // namespace ekiden::daemon
