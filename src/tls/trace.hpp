// What smtpd_tls_loglevel (smtp_tls_loglevel) 2 and more add to the log: the states of a handshake, and bytes as
// hexadecimal dumps. Thread: the connection's.
#pragma once

#include "base/log.hpp"
#include "tls/openssl.hpp"

#include <span>
#include <string_view>

namespace ekiden::tls {

// From now on each state of the handshake is a line: "SSL_accept:SSLv3/TLS read client hello". `log` outlives `ssl`.
void trace_states(SSL* ssl, const Logger& log);

// "read from (5 bytes => 5 (0x5))" and lines of sixteen bytes. `asked` is how many OpenSSL wanted.
void dump_bytes(const Logger& log, std::string_view what, std::string_view bytes, std::size_t asked);

}  // namespace ekiden::tls
