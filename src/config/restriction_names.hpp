// Names of SMTP restrictions, so that lint can tell a slip of the pen from a table or a class. What they do is written
// in check/catalogue. Constant data.
#pragma once

#include <string_view>

namespace ekiden::config {

struct RestrictionName {
    std::string_view name;
    bool has_argument = false;
    std::string_view advice = {};  // why it should not be used any more
};

const RestrictionName* find_restriction(std::string_view name);
// A known name at most three edits away, or one that goes on where this one ends, or "".
std::string_view nearest_restriction(std::string_view name);

}  // namespace ekiden::config
