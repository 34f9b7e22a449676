// XFORWARD: tells a content filter where a message came from (smtp_send_xforward_command), for its log and its rules. Postfix's
// XFORWARD_README: two commands before MAIL, of the attributes that the peer has announced. Pure.
#pragma once

#include "mail/envelope.hpp"
#include "smtp/extensions.hpp"

#include <string>

namespace ekiden::deliver::smtp {

// Command lines with CRLF; empty where there is nothing to say.
struct ForwardCommands {
    std::string address;   // NAME ADDR PORT
    std::string session;   // PROTO HELO IDENT SOURCE
};
ForwardCommands forward_commands(const mail::Envelope& envelope, const ekiden::smtp::Offer& offer);

}  // namespace ekiden::deliver::smtp
