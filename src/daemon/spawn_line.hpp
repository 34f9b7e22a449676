// What a spawn(8) line of master.cf says: as whom to run which command for each connection. A line that cannot be
// served is no reason to stop the others: `postfix check` names it, and whoever connects to it is turned away, as with
// Postfix. Thread: values; find_account() asks the system's user database and may wait for it.
#pragma once

#include "base/result.hpp"
#include "config/settings.hpp"
#include "daemon/layout.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace ekiden::daemon {

struct SpawnLine {
    std::string user, group;    // no group: the user's own
    std::vector<std::string> command;

    // Fails with Postfix's words: "missing user= attribute".
    static Result<SpawnLine> from(const config::ServiceSpec& service);
};

struct SpawnAccount {
    uid_t uid = 0;
    gid_t gid = 0;
};
// Fails for whom spawn(8) runs nothing: root and the mail owner, and their groups; without root, everybody but
// ourselves.
Result<SpawnAccount> find_account(const SpawnLine& line, const Owner& owner);

// The name under which a line's socket is handed on, like "unix/policyd-spf": two types may share a name.
std::string spawn_name(const config::ServiceSpec& service);

// Lines that will turn their clients away, each with file and line. All are warnings.
std::vector<config::Problem> find_spawn_problems(const config::Settings& settings);

}  // namespace ekiden::daemon
