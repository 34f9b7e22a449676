// What access tables are asked for, in the order of access(5), and how. Internal to check_*_access.
#pragma once

#include "check/restriction.hpp"

namespace ekiden::check {

// name, then its parents ("example.com" or ".example.com" as parent_domain_matches_subdomains says)
void add_domain_keys(std::vector<std::string>& keys, std::string_view domain, bool matches_parents);
// 192.0.2.1, 192.0.2, 192.0, 192; 2001:db8::1, 2001:db8:, …
void add_address_keys(std::vector<std::string>& keys, const net::Address& address);
// user+ext@domain, user@domain, domain and its parents, user+ext@, user@
void add_mail_keys(std::vector<std::string>& keys, const std::string& address, const Options& options);

struct Hit {
    std::string key, value;
};
// Asks the table for one key after the other; a table of patterns only sees the first, whole one.
Task<Result<std::optional<Hit>>> find_first(const Restriction& restriction, std::vector<std::string> keys,
                                            const Logger& logger);

// "451 4.3.5 <name>: … rejected: Server configuration error": the table cannot be read.
Step refuse_broken_table(Evaluation& evaluation, Subject subject);

// The last words of a DNS error: "Host not found, try again".
std::string_view short_reason(const Error& error);

}  // namespace ekiden::check
