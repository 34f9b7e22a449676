// The EHLO keywords of this server, in Postfix's order, and the words of smtpd_discard_ehlo_keywords; for the client,
// what a peer's EHLO reply offers. Pure.
#pragma once

#include "smtp/reply.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::smtp {

enum Extension : std::uint32_t {
    ext_pipelining = 1u << 0,
    ext_size = 1u << 1,
    ext_vrfy = 1u << 2,
    ext_etrn = 1u << 3,
    ext_starttls = 1u << 4,
    ext_auth = 1u << 5,
    ext_xclient = 1u << 6,
    ext_xforward = 1u << 7,
    ext_enhanced_status = 1u << 8,
    ext_8bitmime = 1u << 9,
    ext_dsn = 1u << 10,
    ext_smtputf8 = 1u << 11,
    ext_chunking = 1u << 12,
    ext_requiretls = 1u << 13,
    ext_xverp = 1u << 14,
};
using Extensions = std::uint32_t;

// "pipelining, chunking, silent-discard" → bits. `unknown` gets the words that are none; "silent-discard" sets
// `is_silent`.
Extensions parse_extension_list(std::string_view text, std::vector<std::string>& unknown, bool& is_silent);
// "SIZE DSN", in the order of the EHLO reply.
std::string extension_names(Extensions bits);

// What an EHLO reply offers (first line, the host name, ignored).
struct Offer {
    Extensions bits = 0;
    std::uint64_t size_limit = 0;       // SIZE argument; 0 = none given
    std::string auth_mechanisms;        // AUTH argument, "AUTH=" form included
    std::string forwarded;              // XFORWARD argument: the attributes that may be sent
    bool has(Extension e) const { return bits & e; }
};
Offer parse_offer(const Reply& ehlo_reply);

}  // namespace ekiden::smtp
