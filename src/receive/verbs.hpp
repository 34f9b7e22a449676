// The whole protocol in one table: verb, handler, and what else is true of it. A new verb is one row and one handler.
#pragma once

#include "net/task.hpp"
#include "smtp/command.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ekiden::receive {

class Session;

// A handler says its replies through the session and answers whether the command was in order; if not, it counts as an
// error (smtpd_soft_error_limit).
using Handler = Task<bool> (Session::*)(smtp::Command);

enum VerbFlags : std::uint8_t {
    is_junk = 1,          // useful to nobody in numbers: smtpd_junk_command_limit
    ends_group = 2,       // must be the last of a pipelined group (RFC 2920 3.1)
    has_payload = 4,      // bytes of its own follow the line
    works_when_refused = 8,   // also for a client that was turned away at the greeting
    works_without_tls = 32,   // also where TLS is demanded and not there yet
    is_never_in_order = 16,   // counted as Postfix counts a command that starts the session anew: xclient=0/1
};

struct Verb {
    std::string_view name;
    Handler handler;
    std::uint8_t flags;
};

// In the order of the disconnect line; the last row is for everything else.
std::span<const Verb> verbs();
std::size_t find_verb(std::string_view name);
inline constexpr std::size_t verb_count = 16;

// "ehlo=1 mail=1/2 quit=1 commands=3/4": what a session did, in order/total.
class Tally {
public:
    void add(std::size_t verb, bool was_ok)
    {
        ++total_[verb];
        if (was_ok) ++ok_[verb];
    }
    std::string text() const;

private:
    std::array<std::uint32_t, verb_count> ok_{}, total_{};
};

}  // namespace ekiden::receive
