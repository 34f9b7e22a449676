// What a person should be told about the TLS settings before anybody connects: files that are missing, keys that do not
// match, words that mean nothing; each with file and line. For `postfix check`, start and reload; reads the files, so it
// blocks.
//
// A problem is fatal only where its service could serve nobody: in wrapper mode and at level encrypt. Elsewhere mail still
// comes in plain text, as it does with Postfix.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::tls {

// Of one service's own snapshot (Settings::for_service).
std::vector<config::Problem> find_problems(const config::Settings& settings);

// Of all smtpd services, each text once.
std::vector<config::Problem> find_server_problems(const config::Settings& settings);

}  // namespace ekiden::tls
