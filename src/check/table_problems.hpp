// Tables that cannot be opened, that are older than their text, or that anybody may write: found before the first message
// waits for them. Opens every table that is a file; asks no other program. Blocks; thread: any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::check {

// Of the parameters that main.cf sets and the -o of master.cf; each table once, where it is named first. Domains of
// mydestination that a table of virtual domains holds too.
std::vector<config::Problem> find_table_problems(const config::Settings& settings);

}  // namespace ekiden::check
