// What travels between Ekiden's client of Dovecot's authentication protocol and the process that holds libsasl2: that
// protocol (version 1.1, as Dovecot documents it), seen from the server, with five additions.
//
// Client, in AUTH:  realm=     smtpd_sasl_local_domain
//                   secprops=  words of smtpd_sasl_security_options, with commas: then the library itself refuses what
//                              they forbid, in its own words
//                   (service= is given to libsasl2 as it is: "smtp")
// Server, in OK, FAIL and (behind the challenge) CONT, as often as needed, in the order in which it was said:
//                   log=       a line for the mail log as the session's smtpd would have said it: text that begins with
//                              "warning: ", or with "info: "
// Server, in FAIL:  reason=    the library's words ("authentication failure"); `temp` when it may work later
//
// Fields are separated by tabs; \001 introduces 0, 1, t, r, n (NUL, \001, tab, CR, LF). What is base64 needs no escapes.
// Everything here judges bytes of another process: sizes are bounded by the caller's line limit. Pure; thread: any.
#pragma once

#include "base/result.hpp"
#include "sasl/mechanism.hpp"
#include "sasl/secret.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ekiden::sasl {

inline constexpr std::size_t longest_cyrus_line = 65536;  // smtpd_sasl_response_limit is 12288 unless a site says more

struct AuthRequest {
    std::uint32_t id = 0;
    std::string mechanism, service, realm;
    Properties security = 0;
    // "192.0.2.1;25", as libsasl2 wants addresses; empty: not known
    std::string local, remote;
    std::optional<Secret> response;    // base64
};
struct ContinueRequest {
    std::uint32_t id = 0;
    Secret response;    // base64
};
struct CancelRequest {
    std::uint32_t id = 0;
};
struct HelloRequest {    // VERSION and CPID: `is_compatible` is false for another major version
    bool is_compatible = true;
};
struct UnknownRequest {};    // a command of a later version: to be passed over
using CyrusRequest = std::variant<AuthRequest, ContinueRequest, CancelRequest, HelloRequest, UnknownRequest>;

// Trouble: the line is not what the protocol allows, and the connection has to go. The text holds no byte of the line.
Result<CyrusRequest> parse_cyrus_request(std::string_view line);

struct CyrusReply {
    enum class Kind { challenge, success, failure, try_later };
    Kind kind = Kind::try_later;
    std::string text;    // challenge: base64; failure, try_later: why
    std::string user;    // logged in, or tried; empty: not known
    std::vector<std::string> log;    // "warning: …", "info: …"
};
// With the newline.
std::string format_cyrus_reply(std::uint32_t id, const CyrusReply& reply);
// What a client is told first: VERSION to DONE. `cookie`: 32 hexadecimal digits.
std::string format_cyrus_greeting(const std::vector<Mechanism>& mechanisms, int pid, std::uint32_t connection,
                                  std::string_view cookie);

std::string escape_field(std::string_view text);
std::string unescape_field(std::string_view text);

}  // namespace ekiden::sasl
