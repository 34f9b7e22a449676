// Who has an account on this machine. The system's user database may be LDAP or NIS behind NSS and may take its time, so
// it is asked on the blocking pool; when it fails the answer is trouble (try later), never "no such user". Whoever stands in
// /etc/passwd is found without that: the C library reads the whole file for each name, which for the members of a long list
// costs more than their mail.
#pragma once

#include "base/result.hpp"
#include "net/blocking.hpp"
#include "net/task.hpp"
#include "table/maps.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::deliver {

struct User {
    std::string name;
    std::uint32_t uid = 0, gid = 0;
    std::string home, shell;
};

// `known` is unix:passwd.byname (users_known_at_once); who is not in it at once is asked for.
Task<Result<std::optional<User>>> find_user(net::BlockingPool& pool, const table::Maps& known, std::string name);
table::Maps users_known_at_once();
// A line of passwd(5), or nothing where it is none.
std::optional<User> parse_user(std::string_view line);
// The same where the caller may block (start-up).
Result<std::optional<User>> find_user_now(const std::string& name);

}  // namespace ekiden::deliver
