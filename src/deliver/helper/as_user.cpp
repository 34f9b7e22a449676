#include "deliver/helper/as_user.hpp"

#include <cerrno>
#include <cstdlib>

#include <sys/syscall.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

// The library's functions change all threads of the process; the system's change the one that calls.
#ifdef SYS_setresuid32
constexpr long set_users = SYS_setresuid32, set_groups_of = SYS_setresgid32, set_more_groups = SYS_setgroups32;
#else
constexpr long set_users = SYS_setresuid, set_groups_of = SYS_setresgid, set_more_groups = SYS_setgroups;
#endif

bool set_user(uid_t uid) { return ::syscall(set_users, uid_t(-1), uid, uid_t(-1)) == 0; }
bool set_group(gid_t gid) { return ::syscall(set_groups_of, gid_t(-1), gid, gid_t(-1)) == 0; }

}  // namespace

AsUser::AsUser(uid_t uid, gid_t gid)
{
    if (uid == 0 || gid == 0 || uid == uid_t(-1) || gid == gid_t(-1)) {
        errno = EPERM;
        return;
    }
    // Groups first: without root's rights they cannot be changed any more.
    if (::syscall(set_more_groups, 0, nullptr) != 0 || !set_group(gid)) return;
    if (set_user(uid)) {
        is_done_ = true;
        return;
    }
    int error = errno;
    if (!set_group(0)) std::abort();
    errno = error;
}

AsUser::~AsUser()
{
    if (!is_done_) return;
    int error = errno;
    if (!set_user(0) || !set_group(0)) std::abort();
    errno = error;
}

}  // namespace ekiden::deliver
