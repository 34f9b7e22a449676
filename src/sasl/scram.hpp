// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, 7677; channel bindings of RFC 5929 and 9266), and
// the verifier that the server keeps instead of the password. Pure; thread: a value, one owner.
//
// Verifiers are written as RFC 5803 has them, "SCRAM-SHA-256$15000:salt$StoredKey:ServerKey" (PostgreSQL's form, too),
// and also read as Dovecot exports them, "{SCRAM-SHA-256}15000,salt,StoredKey,ServerKey".
#pragma once

#include "base/result.hpp"
#include "sasl/secret.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace ekiden::sasl {

// RFC 7677 asks for 4096. More than the upper bound costs a core half a second for each PLAIN login.
inline constexpr unsigned min_iterations = 4096, max_iterations = 1'000'000;
// A SCRAM client pays for the iterations itself, but PLAIN lets the server pay: about 5 ms with this, hundreds of logins
// a second on a core, while a stolen file still costs its thief as much for each guess.
inline constexpr unsigned default_iterations = 15'000;

struct ScramVerifier {
    unsigned iterations = default_iterations;
    std::string salt;                       // 8…64 bytes
    std::string stored_key, server_key;     // 32 bytes each
};

inline bool is_verifier_like(std::string_view text)
{
    return text.starts_with("SCRAM-") || text.starts_with("{SCRAM-");
}
// Trouble says what is wrong, without the text.
Result<ScramVerifier> parse_verifier(std::string_view text);
std::string format_verifier(const ScramVerifier& verifier);

// The password has been prepared (saslprep.hpp). Each computes all iterations: for a pool.
ScramVerifier make_verifier(const Secret& password, std::string salt, unsigned iterations);
bool matches(const ScramVerifier& verifier, const Secret& password);

// One exchange: read_first, then challenge, then read_final. Trouble ends it: ErrorCode::protocol when the client does
// not keep to the protocol, refused when it is not who it says or sits behind somebody in the middle.
class ScramServer {
public:
    struct Setup {
        bool is_plus = false;    // the mechanism is SCRAM-SHA-256-PLUS
        // What the channel has, empty if not. -PLUS counts as offered when it has one.
        std::string tls_exporter, tls_server_end_point;
        std::string nonce;       // the server's part: printable, without comma, from a generator for keys
    };
    struct Names {
        std::string user, authorization;    // as sent, unescaped; authorization may be empty
    };

    explicit ScramServer(Setup setup) : setup_(std::move(setup)) {}

    Result<Names> read_first(std::string_view client_first);
    // The server-first-message. Keeps the verifier.
    const std::string& challenge(ScramVerifier verifier);
    // The server-final-message, for a proof that is right.
    Result<std::string> read_final(std::string_view client_final);

private:
    Result<void> read_binding(std::string_view flag);

    Setup setup_;
    ScramVerifier verifier_;
    std::string expected_binding_;    // "c=" as it must come back, decoded
    std::string client_first_bare_, nonce_, server_first_;
};

}  // namespace ekiden::sasl
