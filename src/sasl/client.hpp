// Logging in at another server (RFC 4422, RFC 4954): what the client says, without the connection it says it on.
//
// One Client is one attempt. What goes in and out is base64 as it travels on the wire. Errors are the library's words for
// them ("no mechanism available", "bad protocol / cancel"), since log watchers know them from Postfix. A step may compute
// (SCRAM) or ask others (Kerberos), so it runs on the pool it is given, never on an event loop. Thread: one owner.
#pragma once

#include "net/blocking.hpp"
#include "net/task.hpp"
#include "sasl/mechanism.hpp"
#include "sasl/secret.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::sasl {

// How and as whom to log in.
struct ClientRequest {
    std::string service = "smtp";       // "lmtp"
    std::string host, port;             // at whom
    std::string user;
    Secret password;                    // or where the token is, see client_token.hpp
    Properties security = anonymous;
    bool names_authorization = false;   // also say on whose behalf, which is the user's own (send_cyrus_sasl_authzid)
};

struct ClientStart {
    std::string mechanism;
    std::optional<Secret> response;     // base64 of the initial response, where the mechanism has one
};

class Client {
public:
    virtual ~Client() = default;
    // `mechanisms`: what the server offers and the site allows, separated by spaces; one of them is chosen.
    virtual Task<Result<ClientStart>> start(std::string mechanisms) = 0;
    // The answer to a challenge.
    virtual Task<Result<Secret>> step(std::string challenge) = 0;
    // After the server's yes: is it who it should be? False when mutual_auth was demanded and it did not prove itself.
    virtual bool is_satisfied() const = 0;
    // What the library said meanwhile, as warnings for the log; no secrets.
    virtual std::vector<std::string> take_log() = 0;
};

// `pool` may be null in tests and commands.
std::unique_ptr<Client> make_cyrus_client(ClientRequest request, net::BlockingPool* pool);

}  // namespace ekiden::sasl
