#include "deliver/local/users.hpp"

#include "base/text.hpp"

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

table::Maps users_known_at_once() { return table::Maps::open("local users", "unix:passwd.byname"); }

std::optional<User> parse_user(std::string_view line)
{
    // name, password, number, group, comment, home, shell
    const auto fields = base::split(line, ':');
    if (fields.size() != 7 || fields[0].empty()) return std::nullopt;
    const auto uid = base::parse_number<std::uint32_t>(fields[2]), gid = base::parse_number<std::uint32_t>(fields[3]);
    if (!uid || !gid) return std::nullopt;
    return User{std::string(fields[0]), *uid, *gid, std::string(fields[5]), std::string(fields[6])};
}

Task<Result<std::optional<User>>> find_user(net::BlockingPool& pool, const table::Maps& known, std::string name)
{
    // The table does not tell capitals from small letters, the system does.
    if (base::lower(name) == name) {
        if (auto line = known.find_at_once(name); line && *line && **line) {
            if (auto user = parse_user(***line)) co_return user;
        }
    }
    auto lookup = [&name] { return find_user_now(name); };
    co_return co_await pool.run(lookup);
}

}  // namespace ekiden::deliver
