// What a server's TLS needs to know of the settings (smtpd_tls_*, tls_*), typed, made once per snapshot and service.
// Values, any thread.
#pragma once

#include "config/settings.hpp"
#include "table/maps.hpp"
#include "tls/credentials.hpp"
#include "tls/words.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace ekiden::tls {

struct ServerOptions {
    // Throws config::ConfigError for a level that does not exist. What else is wrong is in `troubles` (TLS cannot be had,
    // in Postfix's words) and `warnings` (it can, but not quite as it is written).
    static ServerOptions from(const config::Settings& settings, const table::OpenOptions& tables = {});

    enum class Level { none, may, encrypt } level = Level::none;
    bool is_wrapped = false;            // smtpd_tls_wrappermode; implies encryption
    bool auth_needs_tls = false;        // smtpd_tls_auth_only, and where TLS is demanded anyway
    bool asks_certificate = false, requires_certificate = false;
    bool has_received_comment = false;
    std::uint8_t log = 0;               // LogBits
    std::chrono::seconds handshake_limit{300};

    CredentialFiles credentials;
    table::Maps server_names;           // tls_server_sni_maps
    std::string ca_file, ca_path;
    bool trusts_default_authorities = false;
    bool trusts_server_certificates = false;    // that were not made for clients
    int verify_depth = 9;

    Protocols protocols;
    std::string grade, ciphers;         // the grade as it was named; OpenSSL's list
    std::string groups;                 // for the key exchange, OpenSSL's list; "" = its own choice
    std::string dh_file;                // "" = OpenSSL chooses
    std::uint64_t options_set = 0, options_cleared = 0;
    bool prefers_own_order = false;

    std::string ticket_cipher;          // "" = no tickets
    bool has_session_cache = false, always_issues_ids = true;
    std::chrono::seconds session_limit{3600};

    std::string digest;                 // of fingerprints
    bool has_legacy_key_fingerprints = false;
    std::string scope;                  // sessions are resumed only within it

    std::vector<std::string> troubles, warnings;

    bool is_used() const { return level != Level::none || is_wrapped; }
    bool is_demanded() const { return level == Level::encrypt || is_wrapped; }
};

}  // namespace ekiden::tls
