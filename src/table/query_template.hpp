// The queries and result formats of tables that ask a database (sqlite_table(5); ldap, mysql and pgsql use the same
// letters): %s the key, %u and %d its parts, %1 … %9 its domain's labels from the right. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::table {

using Quote = std::function<std::string(std::string_view)>;

// A query for `key`, each value through `quote`. Nothing when the key lacks what the template asks for ("%d" of a key
// without a domain): then there is nothing to find.
std::optional<std::string> expand_query(std::string_view text, std::string_view key, const Quote& quote);
// One result in its format: small letters and %s are of the value, capitals and digits of the key.
std::optional<std::string> expand_result(std::string_view format, std::string_view value, std::string_view key);

}  // namespace ekiden::table
