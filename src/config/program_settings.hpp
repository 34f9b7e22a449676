// The settings of one of Postfix's own services, such as qmgr: what main.cf says, with the -o entries of its line in
// master.cf on top. Here they are no processes, but their lines count.
#pragma once

#include "config/settings.hpp"

#include <string_view>

namespace ekiden::config {

// Of the first line that runs `program` ("trivial-rewrite"); `settings` itself where that has no entries, or there is none.
// Throws ConfigError, as Settings::for_service() does.
SettingsPtr settings_of_program(const SettingsPtr& settings, std::string_view program);

}  // namespace ekiden::config
