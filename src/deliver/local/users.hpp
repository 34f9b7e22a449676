// Who has an account on this machine. The system's user database may be LDAP or NIS behind NSS and may take its time, so
// it is asked on the blocking pool; when it fails the answer is trouble (try later), never "no such user".
#pragma once

#include "base/result.hpp"
#include "net/blocking.hpp"
#include "net/task.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace ekiden::deliver {

struct User {
    std::string name;
    std::uint32_t uid = 0, gid = 0;
    std::string home, shell;
};

Task<Result<std::optional<User>>> find_user(net::BlockingPool& pool, std::string name);
// The same where the caller may block (start-up).
Result<std::optional<User>> find_user_now(const std::string& name);

}  // namespace ekiden::deliver
