// The header fields that we write ourselves: Received at the top, what a submitter forgot at the bottom. Exactly as
// Postfix prints them. Pure; thread: values.
#pragma once

#include "base/clock.hpp"
#include "mail/envelope.hpp"

#include <string>
#include <string_view>

namespace ekiden::rewrite {

struct ReceivedFacts {
    std::string_view myhostname, mail_name, id;
    std::string_view only_recipient;     // internal form; empty: not exactly one was given
    std::string_view protocol_suffix;    // RFC 3848: "S" behind TLS, "A" for who has logged in, "SA", or empty
    std::string_view tls_comment;        // lines "\t(using …)\n" of smtpd_tls_received_header, or empty
    bool shows_login = false;            // smtpd_sasl_authenticated_header
    bool is_smtputf8 = false;
    WallTime at{};
};

// From the network: "Received: from HELO (NAME [ADDRESS])\n\tby …".
std::string received_from_client(const mail::Origin& origin, const ReceivedFacts& facts);
// From sendmail: "Received: by HOST (Postfix, from userid N)\n\tid …".
std::string received_from_user(unsigned uid, const ReceivedFacts& facts);
// Made here (bounces, forwards): "Received: by HOST (Postfix)\n\tid …".
std::string received_from_self(const ReceivedFacts& facts);

// "20261122053817.2E014214007@mail.golden.test", time in UTC, without brackets; of a long id that alone:
// "4gTk8R1dQhz1@mail.golden.test".
std::string make_message_id(WallTime at, std::string_view id, std::string_view myhostname);

// Body of a From field: `Full Name <address>` (or "address (Full Name)" where header_from_format = obsolete).
std::string from_body(std::string_view sender, std::string_view full_name, bool is_obsolete_format);

}  // namespace ekiden::rewrite
