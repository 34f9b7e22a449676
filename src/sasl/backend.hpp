// Who decides about logins: Dovecot, libsasl2 in a process of its own, or Ekiden's password file. One Backend serves one
// kind of service for one settings snapshot and is shared by the cores; one Exchange is one AUTH command.
//
// All calls may come from any core and come back on the core of the caller; none of them blocks it. Every wait is bounded
// by the backend itself (ErrorCode::timeout or try_later), so a caller needs no limit of its own. What goes in and out is
// base64 as it travels on the wire (RFC 4954): decoding is the backend's, because Dovecot does it itself and because its
// errors are part of the answer.
#pragma once

#include "net/endpoint.hpp"
#include "net/task.hpp"
#include "sasl/mechanism.hpp"
#include "sasl/secret.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::sasl {

// What a mechanism may want to know of the session.
struct Peer {
    net::Endpoint client, server;
    std::string service = "smtp";       // smtpd_sasl_service
    std::string realm;                  // smtpd_sasl_local_domain
    Properties security = anonymous;    // smtpd_sasl_security_options, or the ones for TLS
    bool is_encrypted = false;
    bool has_client_certificate = false;    // one that was verified
    // RFC 5929 and 9266, raw bytes; empty: none.
    std::string tls_server_end_point, tls_exporter;
};

struct Answer {
    enum class Kind {
        challenge,      // `text`: base64, what follows "334 "
        success,        // `user` is logged in
        failure,        // `text`: why, as the library says it ("authentication failure")
        try_later,      // the service is slow, dead or in trouble: `text` says how
    };
    Kind kind = Kind::try_later;
    std::string text;
    std::string user;   // the name that was logged in or tried; empty when it is not known
    // Lines for the mail log that belong in front of what the session logs itself: "warning: SASL authentication failure: …",
    // or with "info: " in front. They hold no secret.
    std::vector<std::string> log;
};

class Exchange {
public:
    virtual ~Exchange() = default;    // an exchange that has not ended is cancelled
    // First the initial response, if the client sent one ("=" is an empty one), then an answer to each challenge.
    virtual Task<Answer> step(std::optional<Secret> response) = 0;
};

class Backend {
public:
    virtual ~Backend() = default;
    // In the order in which they are offered, private ones included, not yet filtered by any security options. Trouble
    // while the service cannot be reached: the next call tries anew.
    virtual Task<Result<MechanismList>> mechanisms() = 0;
    // `mechanism` as the client named it; one that does not exist fails in the first step.
    virtual std::unique_ptr<Exchange> begin(std::string mechanism, Peer peer) = 0;
};

using BackendPtr = std::shared_ptr<Backend>;

}  // namespace ekiden::sasl
