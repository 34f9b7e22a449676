#include "deliver/helper/group_sync.hpp"

#include "deliver/helper/as_user.hpp"
#include "deliver/helper/maildir.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

constexpr std::chrono::milliseconds slow{200};
constexpr std::chrono::seconds pause_after_slow{10};
constexpr unsigned long xfs_magic = 0x58465342;

}  // namespace

bool GroupSync::is_due(std::size_t count) const { return count >= worth_it && base::steady_now() >= not_before_; }

bool GroupSync::is_known(int fd)
{
    struct statfs info{};
    if (::fstatfs(fd, &info) < 0) return false;
    auto kind = static_cast<unsigned long>(info.f_type);
    return kind == EXT4_SUPER_MAGIC || kind == xfs_magic || kind == BTRFS_SUPER_MAGIC;
}

std::chrono::nanoseconds GroupSync::run(std::span<const std::unique_ptr<Act>> acts, bool becomes_user)
{
    SteadyTime began = base::steady_now();
    // The files are closed when they have their names; this one stays for the second sync.
    Fd system(::dup(acts.front()->file.get()));
    int error = !system || ::syncfs(system.get()) < 0 ? errno : 0;
    for (const auto& act : acts) {
        std::optional<AsUser> user;
        if (becomes_user) user.emplace(act->request.uid, act->request.gid);
        if (user && !user->is_done()) {
            fail_act(*act, "become user");
            continue;
        }
        if (error == 0) {
            name_maildir_file(*act);
        } else {
            errno = error;
            drop_maildir_file(*act, "fsync");
        }
    }
    if (error == 0 && ::syncfs(system.get()) < 0) error = errno;
    for (const auto& act : acts) {
        if (!act->is_named) continue;
        if (error == 0) {
            act->answer.kind = HelperAnswer::Kind::done;
        } else {
            errno = error;
            fail_act(*act, "fsync", act->folder);
        }
    }
    return base::steady_now() - began;
}

void GroupSync::note(std::chrono::nanoseconds took)
{
    if (took > slow) not_before_ = base::steady_now() + pause_after_slow;
}

}  // namespace ekiden::deliver
