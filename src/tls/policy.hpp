// Which TLS a connection must have: the site's level, and what smtp_tls_policy_maps (or the obsolete smtp_tls_per_site)
// says of the destination. A table that fails, or an entry that makes no sense, is no policy: the mail waits.
// Thread: any.
#pragma once

#include "base/log.hpp"
#include "net/task.hpp"
#include "tls/client_options.hpp"

#include <string>
#include <string_view>

namespace ekiden::tls {

struct Target {
    std::string key;            // the next hop as it is written: "[mail.example.com]:587", "example.com"
    std::string domain;         // without brackets and port; $myhostname for a Unix socket
    std::string host;           // the server's name; $myhostname for a Unix socket
    bool is_unix = false;
};

// Why not has been logged in Postfix's words; the error says what to tell: "client TLS configuration problem".
Task<Result<ClientPolicy>> find_policy(const ClientOptions& options, Target target, const Logger& log);

// An entry of the policy table: "secure match=.example.net:example.net ciphers=high". `title` is how warnings begin.
// Pure, but for the log.
Result<ClientPolicy> parse_policy(std::string_view value, const ClientOptions& options, const Target& target,
                                  std::string_view title, const Logger& log);

// What smtp_tls_per_site makes of the site's level and its two answers ("" = none): NONE, MAY, MUST_NOPEERMATCH, MUST.
// Nothing: a word that is none of them.
std::optional<Level> combine_sites(Level site, std::string_view by_destination, std::string_view by_host);

}  // namespace ekiden::tls
