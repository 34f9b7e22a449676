// What is legal in the TLS settings of the SMTP servers and will not do what was meant: a certificate for other names
// than myhostname, chains of tls_server_sni_maps that cannot be used, words of settings that are not in force at this
// level and will be at another. For `postfix check`; reads the files, so it blocks. Whether TLS can be had at all:
// problems.hpp. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::tls {

// Of all smtpd services with TLS, each text once. All are warnings. Of a table of chains the first thousand are read,
// and twenty are named.
std::vector<config::Problem> find_server_hints(const config::Settings& settings);

} // namespace ekiden::tls
