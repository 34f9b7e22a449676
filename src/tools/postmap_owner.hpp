// Whose rights a table is written with.
#pragma once

#include <sys/types.h>

#include <vector>

namespace ekiden::tools {

// While it lives, a root process acts as the owner of the source file, so that a user's map cannot make root write
// where that user may not. Throws PostmapFatal; thread: the program's only one.
class ActingAsOwner {
public:
    ActingAsOwner(uid_t uid, gid_t gid);
    ~ActingAsOwner();
    ActingAsOwner(const ActingAsOwner&) = delete;
    ActingAsOwner& operator=(const ActingAsOwner&) = delete;

private:
    bool is_changed_;
    gid_t saved_gid_ = 0;
    std::vector<gid_t> groups_;
};

}  // namespace ekiden::tools
