// postmap and postalias: make, query, change and list lookup tables. Also what newaliases does.
#pragma once

#include <string>
#include <vector>

namespace ekiden::tools {

// Rebuilds the alias databases `maps` ("hash:/etc/aliases"); with none given, those of $alias_database. Speaks and
// fails as postalias does (messages on standard error); the exit status.
int rebuild_aliases(const std::string& config_directory, const std::vector<std::string>& maps, int verbosity);

}  // namespace ekiden::tools
