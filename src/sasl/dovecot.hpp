// Logins that a server of Dovecot's protocol decides: Dovecot itself (smtpd_sasl_type = dovecot), or the process that holds
// libsasl2 (cyrus). Connections are shared by all backends of a core and outlive settings.
//
// Dovecot is asked only for mechanisms that it named and that the session's security options allow, and is sent only what
// could be base64, as Postfix does; libsasl2 judges all that itself, since its words are part of the reply.
#pragma once

#include "base/log.hpp"
#include "net/blocking.hpp"
#include "sasl/backend.hpp"

#include <chrono>
#include <string>

namespace ekiden::sasl {

struct DovecotOptions {
    // smtpd_sasl_path: "inet:host:port", or a Unix socket relative to the queue directory ("private/auth").
    std::string path;
    std::string queue_directory;
    bool is_cyrus = false;
    // For an answer, and for the greeting, which may take half of that at most. Dovecot lets those who guess wait for up to
    // 17 seconds; they shall hear that they guessed wrong.
    std::chrono::milliseconds time_limit{20'000};
    net::BlockingPool* pool = nullptr;    // looks up host names; outlives the backend
    std::string known_ports;              // known_tcp_ports
    Logger log;
};

// Trouble is a `path` that names no server.
Result<BackendPtr> make_dovecot(DovecotOptions options);

}  // namespace ekiden::sasl
