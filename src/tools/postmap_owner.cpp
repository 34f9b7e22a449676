#include "tools/postmap_owner.hpp"

#include "base/result.hpp"
#include "tools/postmap_options.hpp"

#include <algorithm>
#include <cstdlib>
#include <grp.h>
#include <unistd.h>

namespace ekiden::tools {

ActingAsOwner::ActingAsOwner(uid_t uid, gid_t gid) : is_changed_(::geteuid() == 0 && uid != 0)
{
    if (!is_changed_) return;
    groups_.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
    ::getgroups(static_cast<int>(groups_.size()), groups_.data());
    saved_gid_ = ::getegid();
    if (::setgroups(1, &gid) != 0 || ::setegid(gid) != 0 || ::seteuid(uid) != 0) {
        throw PostmapFatal{Error::from_errno("set user id", std::to_string(uid)).text()};
    }
}

ActingAsOwner::~ActingAsOwner()
{
    if (!is_changed_) return;
    if (::seteuid(0) != 0 || ::setegid(saved_gid_) != 0 || ::setgroups(groups_.size(), groups_.data()) != 0)
        std::abort();
}

}  // namespace ekiden::tools
