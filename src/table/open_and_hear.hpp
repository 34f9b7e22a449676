// For who reports on tables instead of using them (postfix check): opening one, with what else would be warned of in the log.
#pragma once

#include "table/table.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::table {

// As open_table(); warnings about lines that are passed over ("pcre map /x, line 3: …") go to `warnings` and not to the log.
// A table that is open already has been warned of: nothing is heard then. Any thread.
Result<TablePtr> open_and_hear(std::string_view spec, std::vector<std::string>& warnings);

}  // namespace ekiden::table
