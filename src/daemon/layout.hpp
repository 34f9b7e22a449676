// The directories of an instance, as Postfix's `postfix check` makes them, plus the commit log's. Run by the master
// (as root where there is root) before anything else starts.
#pragma once

#include "base/result.hpp"
#include "config/settings.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace ekiden::daemon {

struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
    gid_t setgid_group = 0;     // postdrop's group
    bool is_root = false;       // we run as root: ownership is set and rights are dropped
};
// mail_owner and setgid_group of the settings; without root, the caller is all of them.
Result<Owner> find_owner(const config::Settings& settings);

// Creates what is missing with Postfix's owners and modes; existing directories keep theirs. The folders that hold
// sockets and maildrop get the setgid group.
Result<void> make_directories(const config::Settings& settings, const Owner& owner);

// What belongs to the wrong user or may be written by others, among the configuration's files and the queue's folders, in
// the words of `postfix check`: "not owned by root: …". Only root can set it right, so it is looked for as root only.
std::vector<std::string> find_wrong_rights(const config::Settings& settings, const Owner& owner);

}  // namespace ekiden::daemon
