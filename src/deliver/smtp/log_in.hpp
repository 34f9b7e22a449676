// Saying who we are, between the hello and the first MAIL (RFC 4954): AUTH, challenges, and what the server makes of it.
// No password goes into a log line or a Fate. Thread: the session's core; what blocks or computes runs on `pool`.
#pragma once

#include "deliver/smtp/client.hpp"
#include "deliver/smtp/login.hpp"

namespace ekiden::deliver::smtp {

// Nothing: logged in. Else why not; the session may then take a QUIT where it says so. `log`: lines about mechanisms.
Task<std::optional<Fate>> log_in(Session& session, const LoginOptions& options, Login login, Protection protection,
                                 std::chrono::seconds time_limit, net::BlockingPool* pool, const Logger& log);

}  // namespace ekiden::deliver::smtp
