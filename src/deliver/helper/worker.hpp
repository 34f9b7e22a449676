// A worker: a process of the helper that has become one user for good and does what is asked in his name, with his rights.
// It ends when its socket closes. Maildir files are written one after another and brought to disk by a SyncCrew meanwhile;
// what takes long or changes the process (commands, mailboxes with their locks) gets a process of its own.
#pragma once

#include <compare>
#include <string>

#include <sys/types.h>

namespace ekiden::deliver {

// Who a worker is. `group` besides the user's own: the mail group of a spool whose folder only it may write; 0 = none.
struct Identity {
    uid_t uid;
    gid_t gid;
    gid_t group;
    std::string user;
    std::string root = {};   // becomes "/" first
    bool is_crowd = false;   // nobody of his own: crowd.hpp
    auto operator<=>(const Identity&) const = default;
};

// In a fresh process: becomes `who`, serves `requests` and answers to `engine`. When it cannot become him, each request is
// refused.
[[noreturn]] void run_worker(const Identity& who, int requests, int engine);

}  // namespace ekiden::deliver
