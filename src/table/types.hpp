// What is said of a table type that open_table() does not know. Pure.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::table {

// "unsupported dictionary type: foo"; of Postfix's own types that are missing: "… mysql (not in this release)".
std::string unsupported_type(std::string_view type);

}  // namespace ekiden::table
