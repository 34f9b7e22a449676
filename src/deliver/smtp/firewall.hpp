// Firewalls that look into SMTP and break it (Cisco PIX, "smtp fixup"): how they are known, and what is done for mail to
// get through (smtp_pix_workarounds). Pure.
#pragma once

#include "smtp/reply.hpp"

#include <string>
#include <string_view>

namespace ekiden::deliver::smtp {

struct Workarounds {
    bool says_helo = false;     // disable_esmtp
    bool delays_dot = false;    // delay_dotcrlf: the final dot comes in a packet of its own, and late
    bool has_any() const { return says_helo || delays_dot; }
};
// Names in any case, separated by spaces and commas; what is no name means nothing.
Workarounds parse_workarounds(std::string_view text);
std::string text_of(const Workarounds& workarounds);    // for the log

// A greeting of which nothing but stars is left, and the digits and spaces that such firewalls let pass.
bool hides_greeting(const ekiden::smtp::Reply& greeting);

}  // namespace ekiden::deliver::smtp
