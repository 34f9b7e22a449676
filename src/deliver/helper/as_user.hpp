// One thread of a root process with a user's rights, for as long as the object lives: his number and group, no further
// groups, none of root's capabilities. Other threads are not touched. Coming back cannot fail; where it does, the process ends.
#pragma once

#include <sys/types.h>

namespace ekiden::deliver {

class AsUser {
public:
    AsUser(uid_t uid, gid_t gid);
    ~AsUser();
    AsUser(const AsUser&) = delete;
    AsUser& operator=(const AsUser&) = delete;
    bool is_done() const { return is_done_; }   // false: errno says why; the thread is what it was

private:
    bool is_done_ = false;
};

}  // namespace ekiden::deliver
