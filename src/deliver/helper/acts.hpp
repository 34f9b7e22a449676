// What the helper does after it has become the recipient's user: append to a mailbox, run a command, read a file; Maildirs
// are in maildir.hpp. Plain blocking code in a process of its own; no parsing of mail, no network, no tables. Every
// path is opened with the user's rights only, so that a name that leads elsewhere leads nowhere he could not go himself.
#pragma once

#include "base/fd.hpp"
#include "deliver/helper/protocol.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::deliver {

struct Act {
    HelperRequest request;
    Fd content;             // read from offset 0; none when request.content holds it
    HelperAnswer answer;
    // maildir: between the steps. The folders are held open: whatever their names lead to later, no step after the first
    // follows a path of the user's.
    std::string temporary, folder;     // a name in tmp/; the path of new/
    Fd file, temporary_folder, new_folder;
    bool is_named = false;
};

// The next request that is whole, with what it came with; nothing at the end. One that came without its message is refused.
std::unique_ptr<Act> receive_act(int requests, int engine);

// True when one of request.unless is there: the answer says so, and nothing else is to be done.
bool is_withheld(Act& act);
// Changes the process's file size limit: in a process of its own.
void deliver_to_mailbox(Act& act);
// Feeds a command and waits for it: in a process of its own.
void run_command(Act& act);
void read_user_file(Act& act);

// Answers "failed" with errno: text is "what on: reason".
void fail_act(Act& act, std::string what, std::string_view on = {});
// How many bytes a file may grow to from now on, in this process (a write past it says EFBIG).
void limit_file_size(std::uint64_t limit);

}  // namespace ekiden::deliver
