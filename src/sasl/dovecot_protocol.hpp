// Dovecot's authentication protocol, version 1, as its client speaks it
// (https://doc.dovecot.org/developer_manual/design/auth_protocol/): lines of fields with tabs between them. Lines to the
// server may hold passwords, so they are Secrets; lines from it are judged as those of a stranger, who may lie.
//
// The process that holds libsasl2 speaks it too, with the additions of cyrus_protocol.hpp. Pure; thread: any.
#pragma once

#include "base/result.hpp"
#include "sasl/backend.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::sasl {

inline constexpr std::size_t longest_dovecot_line = 32768;    // of the server; Dovecot sends a fourth of that at most
inline constexpr std::size_t most_dovecot_mechanisms = 100;

struct DovecotLine {
    enum class Kind {
        version,      // `number`: the major version
        mechanism,
        ready,        // DONE: the greeting is over
        success,      // OK: `id`, `user`
        challenge,    // CONT: `id`, `text`
        failure,      // FAIL: `id`, `user`, `text`, `is_temporary`
        other,        // what a client has no use for, or a later version's: passed over, as the protocol demands
    };
    Kind kind = Kind::other;
    std::uint32_t id = 0, number = 0;
    Mechanism mechanism;
    std::string user, text;
    bool is_temporary = false;
    std::vector<std::string> log;    // see Answer::log
};
// Trouble: nobody who speaks the protocol says that; nothing this server says can be trusted any more.
Result<DovecotLine> parse_dovecot_line(std::string_view line);

// What a client says first. `client_id` must be nobody else's among all clients of the server.
std::string format_dovecot_hello(std::uint32_t client_id);

struct DovecotRequest {
    std::uint32_t id = 0;
    std::string_view mechanism;
    std::string_view security_words;               // secprops=, for libsasl2 only
    bool with_realm = false;                       // likewise
    std::optional<std::string_view> response;      // base64, as the client sent it
};
Secret format_dovecot_auth(const DovecotRequest& request, const Peer& peer);
Secret format_dovecot_continue(std::uint32_t id, std::string_view response);
Secret format_dovecot_cancel(std::uint32_t id);

// Could that be base64? Letters and where the padding stands; whether it decodes is the server's to say.
bool looks_like_base64(std::string_view text);

}  // namespace ekiden::sasl
