// Everything that keeps a configuration from being read, not only the first of it: for `postfix check`, whose reader
// wants to mend all of it in one go. Reads files, so it may block; thread: any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::config {

struct Unreadable {
    // Values and lines that Settings::load() or Settings::for_service() refuse, fatal, in Postfix's words (without the
    // place, where Postfix has none), with the parameter and what to write instead. At most 100.
    std::vector<Problem> problems;
    // The same configuration with the defaults in place of those values, and without those lines and entries of master.cf,
    // so that the rest of it can be looked at; null where that does not help.
    SettingsPtr rest;
};
Unreadable find_unreadable(const LoadOptions& options);

} // namespace ekiden::config
