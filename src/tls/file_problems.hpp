// Certificates that have expired or soon will, and private keys that everybody on the machine can read. For `postfix
// check`, start and reload; reads the files, so it blocks. Whether a key fits its certificate: problems.hpp. Thread: any.
#pragma once

#include "base/clock.hpp"
#include "config/settings.hpp"

#include <vector>

namespace ekiden::tls {

// How long before its end a certificate is spoken of: renewal is usually tried from a month before.
inline constexpr std::chrono::days expiry_notice{30};

// Of the files that smtpd services with TLS and the clients name, each file once. All are warnings.
std::vector<config::Problem> find_file_problems(const config::Settings& settings, base::WallTime now);

}  // namespace ekiden::tls
