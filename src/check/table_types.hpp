// Tables of a type that does not exist, wherever main.cf or a -o of master.cf names one: found before the start, with file
// and line. At run time such a table could only answer "try later", for every client and for ever.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::check {

// Fatal problems, in the order of the files. Looks at the parameters that may hold tables (those of proxy_read_maps), the
// restriction lists and their classes. Thread: any.
std::vector<config::Problem> find_unknown_table_types(const config::Settings& settings);

}  // namespace ekiden::check
