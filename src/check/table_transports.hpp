// Transports that tables name and master.cf does not have: such mail waits in the queue until somebody sees it. Reads
// the texts of tables of files (hash, texthash, regexp …) and those written in main.cf; asks no server. Blocks; thread:
// any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::check {

// Of transport_maps, mailbox_transport_maps, sender_dependent_default_transport_maps and the like: a warning with the
// file and line of the table for each name, at the first place where it stands.
std::vector<config::Problem> find_table_transports(const config::Settings& settings);

} // namespace ekiden::check
