// SASL mechanisms (RFC 4422): their names and what they are good for, and the site's demands on them. Pure.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::sasl {

// What is true of a mechanism, and, in the same bits, what smtpd_sasl_security_options and smtp_sasl_security_options say
// of it: a weakness that is named there is forbidden, a strength is demanded.
enum Property : std::uint8_t {
    plaintext = 1,          // the password travels as it is: noplaintext
    active = 2,             // open to active attack: noactive
    dictionary = 4,         // open to guessing from what was overheard: nodictionary
    anonymous = 8,          // noanonymous
    forward_secrecy = 16,
    mutual_auth = 32,
};
using Properties = std::uint8_t;
inline constexpr Properties weaknesses = plaintext | active | dictionary | anonymous;
inline constexpr Properties strengths = forward_secrecy | mutual_auth;

struct Mechanism {
    std::string name;               // as registered, upper case
    Properties properties = 0;
    // Not for others to see (Dovecot's "private"): never offered.
    bool is_private = false;
};

// What a server can do; kept for as long as anyone reads it, and not changed.
using MechanismList = std::shared_ptr<const std::vector<Mechanism>>;

// "noanonymous, noplaintext": forbidden weaknesses and demanded strengths. An unknown word is an error whose text is
// the word itself, for the caller to say which parameter it stands in.
Result<Properties> parse_security_options(std::string_view value);
std::string format_security_options(Properties options);    // "noplaintext,noanonymous"

inline bool is_allowed(const Mechanism& mechanism, Properties options)
{
    return (mechanism.properties & options & weaknesses) == 0 && (options & strengths & ~mechanism.properties) == 0;
}

}  // namespace ekiden::sasl
