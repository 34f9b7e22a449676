// What is wrong with the access policy as it is written, found before the start with file and line: in main.cf and in
// the -o of master.cf. Opens no table and asks nobody. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::check {

// What must not start: tables of a type that does not exist, or without one (they could only answer "try later", to every
// client and for ever), wherever a parameter may hold tables (those of proxy_read_maps, restriction lists and classes),
// restrictions that this release cannot carry out, restriction classes without a definition, milters that are written as
// none can be, and services that would be open relays.
std::vector<config::Problem> find_fatal_list_problems(const config::Settings& settings);

// What starts, and will not do what was meant: arguments that are missing or cannot be read (the client gets Postfix's
// "451 4.3.5 Server configuration error"), block lists that are known to be closed.
std::vector<config::Problem> find_list_hints(const config::Settings& settings);

}  // namespace ekiden::check
