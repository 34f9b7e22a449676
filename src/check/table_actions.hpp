// What the entries of access tables and of header_checks and body_checks ask for and nobody can do: a slip in an
// action, a restriction that does not exist, a FILTER without a transport. At run time each is answered with "451 4.3.5
// Server configuration error", or does nothing but warn; this finds them before, with the line of the table. Reads the
// tables, so it blocks; thread: any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::check {

// All are warnings. At most ten of one table are named, and the number of the others; what is larger than
// table::EntryBounds is looked at as far as these go.
std::vector<config::Problem> find_table_actions(const config::Settings& settings);

} // namespace ekiden::check
