// What the helper does after it has become the recipient's user: write a Maildir file, append to a mailbox, run a
// command, read a small file. Plain blocking code in a process of its own; no parsing of mail, no network, no tables.
#pragma once

#include "base/fd.hpp"
#include "deliver/helper/protocol.hpp"

#include <vector>

namespace ekiden::deliver {

struct Act {
    HelperRequest request;
    Fd content;             // read from offset 0; none when request.content holds it
    HelperAnswer answer;
    // maildir: between the steps
    std::string temporary, folder;
    Fd file;
};

// Several Maildir deliveries at once, so that one disk sync serves them all: every file is written, then every file is
// synced, then every name is made, then every folder is synced. Only then is anything reported as done.
void deliver_to_maildirs(std::vector<Act*>& acts);
void deliver_to_mailbox(Act& act);
void run_command(Act& act);
void read_small_file(Act& act);

}  // namespace ekiden::deliver
