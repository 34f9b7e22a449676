#include "deliver/local/users.hpp"

#include <cerrno>
#include <pwd.h>
#include <vector>

namespace ekiden::deliver {

Result<std::optional<User>> find_user_now(const std::string& name)
{
    std::vector<char> buffer(4096);
    for (;;) {
        passwd entry{};
        passwd* found = nullptr;
        int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error == EINTR) continue;
        if (error == ERANGE && buffer.size() < (1u << 20)) {
            buffer.resize(buffer.size() * 2);
            continue;
        }
        if (found) return User{found->pw_name, found->pw_uid, found->pw_gid, found->pw_dir, found->pw_shell};
        // getpwnam(3): these too are said for a name that does not exist.
        if (error == 0 || error == ENOENT || error == ESRCH) return std::optional<User>();
        return fail(Error::from_errno(error, "user lookup", name));
    }
}

Task<Result<std::optional<User>>> find_user(net::BlockingPool& pool, std::string name)
{
    auto lookup = [&name] { return find_user_now(name); };
    co_return co_await pool.run(lookup);
}

}  // namespace ekiden::deliver
