// Our keys and certificate chains, as smtpd_tls_chain_files, smtpd_tls_cert_file and their sisters name them. Several keys
// (RSA, ECDSA, Ed25519) stand side by side; OpenSSL takes what the client can use.
//
// Reading is blocking and needs the right to read what only root may (base::PrivilegedRead is raised inside). Errors are
// Postfix's sentences: "error opening chain file: …". What was loaded is immutable, any thread.
#pragma once

#include "base/result.hpp"
#include "tls/openssl.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ekiden::tls {

// One key with the chain that vouches for it.
struct Identity {
    UniqueKey key;
    UniqueCertificate leaf;
    std::vector<UniqueCertificate> chain;   // without the leaf
};
using Identities = std::vector<Identity>;
using IdentitiesPtr = std::shared_ptr<const Identities>;

struct CredentialFiles {
    std::vector<std::string> chain_files;   // key first, then its chain; if there are any, the pairs do not count
    struct Pair {
        std::string kind, certificate, key; // "RSA", "ECDSA", "DSA"; the key may stand in the same file
    };
    std::vector<Pair> pairs;                // "none" = not there, on purpose

    bool is_empty() const { return chain_files.empty() && pairs.empty(); }
    // Every file that is read, for whoever watches them.
    std::vector<std::string> files() const;
};

Result<Identities> load_identities(const CredentialFiles& files);
// As above from the text of PEM files; `origin` names them in errors.
Result<Identities> parse_identities(std::string_view pem, std::string_view origin);

// What tells one state of a set of files from another: times, sizes and inodes; missing files count too.
std::string state_of_files(const std::vector<std::string>& files);

// The channel binding of RFC 5929 section 4: the hash of a certificate by the digest of its signature, SHA-256 for the
// weak ones; raw bytes, "" when the certificate does not say.
std::string server_end_point_of(const X509* certificate);

}  // namespace ekiden::tls
