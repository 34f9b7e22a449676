// What smtp(8) and lmtp(8) parameters say about TLS (smtp_tls_*, lmtp_tls_*, tls_*), typed, made once per snapshot and
// service; and the policy for one connection, which policy.hpp makes of it. Values, any thread.
#pragma once

#include "config/settings.hpp"
#include "table/maps.hpp"
#include "tls/credentials.hpp"
#include "tls/words.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tls {

// What is demanded of a connection; each demands more than the one before, `fingerprint` in a way of its own.
enum class Level : std::uint8_t { none, may, encrypt, dane, dane_only, fingerprint, verify, secure };
std::optional<Level> parse_level(std::string_view word);
std::string_view name_of(Level level);
inline bool is_mandatory(Level level) { return level >= Level::encrypt && level != Level::dane; }
// Must the certificate be the right one?
inline bool is_matched(Level level) { return level >= Level::fingerprint; }

struct ClientOptions {
    std::string prefix = "smtp_";         // or "lmtp_"
    Level level = Level::none;
    bool is_wrapped = false;              // smtp_tls_wrappermode
    bool notes_offers = false;            // smtp_tls_note_starttls_offer
    table::Maps policies, sites;          // smtp_tls_policy_maps; smtp_tls_per_site counts where that is empty

    struct Grade {                        // which ciphers and protocols
        std::string protocols, ciphers;
        std::vector<std::string> excluded;
    };
    Grade opportunistic, mandatory;
    std::vector<std::string> verify_match, secure_match, fingerprints;
    std::string server_name;              // smtp_tls_servername
    std::vector<std::string> trust_anchor_files;

    CredentialFiles credentials;
    std::string ca_file, ca_path;
    bool trusts_default_authorities = false;
    int verify_depth = 9;
    bool wildcards_are_deep = true;       // tls_wildcard_matches_multiple_labels
    CipherLists lists;
    std::string groups;                   // OpenSSL's list for the key exchange; "" = its own choice
    std::uint64_t options_set = 0, options_cleared = 0;
    std::string digest;
    bool has_legacy_key_fingerprints = false;
    std::uint8_t log = 0;                 // LogBits
    std::chrono::seconds handshake_limit{300}, session_limit{3600};
    std::vector<std::string> warnings;

    // Throws config::ConfigError for a level that does not exist.
    static ClientOptions from(const config::Settings& settings, bool is_lmtp);
    bool is_used() const { return level != Level::none || !policies.is_empty() || !sites.is_empty(); }
    const Grade& grade(Level at) const { return is_mandatory(at) ? mandatory : opportunistic; }
};

// What holds for one connection.
struct ClientPolicy {
    Level level = Level::none;
    ClientOptions::Grade grade;
    std::vector<std::string>
        match;  // names (".example.com" = all below it), or fingerprints without colons, upper case
    std::string server_name;              // SNI; "" = none
    std::vector<std::string> trust_anchor_files;
    bool wildcards_are_deep = true;       // "*.example.com" in a certificate is a.b.example.com too
    // Equal for policies that mean the same.
    std::string digest() const;
};

}  // namespace ekiden::tls
