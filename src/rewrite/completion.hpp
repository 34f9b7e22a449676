// Turns what people write into user@domain, as trivial-rewrite(8) documents it: source routes stripped, "site!user" and
// "user%site" turned round, $myorigin and $mydomain appended, a trailing dot removed. Pure; thread: values.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>

namespace ekiden::rewrite {

struct Completion {
    bool append_at_myorigin = true, append_dot_mydomain = false, swap_bangpath = true, allow_percent_hack = true;
    std::string origin;       // $myorigin
    std::string mydomain;
    std::string remote_domain;   // $remote_header_rewrite_domain; empty: addresses of strangers are left alone

    static Completion from(const config::Settings& settings);

    // Internal form in and out; "" stays "". `context` is "local" or "remote".
    std::string complete(std::string_view address, std::string_view context) const;
    // Would complete() return it unchanged? Cheap: most addresses are complete already.
    bool is_complete(std::string_view address, std::string_view context) const;

    // "site!user" or "user%site" in a local part that is not quoted → "user@site"; empty when there is nothing to turn.
    std::string turn_round(std::string_view local) const;
};

}  // namespace ekiden::rewrite
