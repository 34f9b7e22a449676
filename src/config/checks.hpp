// What is checked of a snapshot before anybody works with it. Throws ConfigError with the text that Postfix prints
// after "fatal: ". Thread: any.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::config {

// Types and bounds of all (server) or global (command) parameters, host names, interfaces, lists that must have one
// element. `none` checks nothing.
void check_settings(const Settings& settings, Checks level);
// All that check_settings would throw, in the same order, with the parameter and what to write instead.
std::vector<Problem> find_bad_values(const Settings& settings, Checks level);

// What a value of that parameter must be, "write yes or no"; empty where any will do.
std::string wanted_value(std::string_view name);

// Types and bounds of some parameters (-o of a service).
void check_names(const Settings& settings, const std::vector<std::string_view>& names);

// $mail_owner and $setgid_group exist, are not privileged and not shared. For programs that change to them: a server
// started without root does not.
void check_owner(const Settings& settings);

// The complaint of Postfix's host name check ("misplaced hyphen: -x.y"), or "" for a valid one.
std::string hostname_trouble(std::string_view name);

}  // namespace ekiden::config
