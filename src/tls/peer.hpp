// Reading a finished handshake: the summary of a connection, and names and fingerprints of certificates. Pure, but for
// OpenSSL's objects; thread: the connection's.
#pragma once

#include "tls/openssl.hpp"
#include "tls/server_options.hpp"
#include "tls/summary.hpp"

#include <string>

namespace ekiden::tls {

// Everything but the server name.
Summary summarize(SSL* ssl, const ServerOptions& options);

// Of the client's side of a handshake: `has_certificate`, names and fingerprints are the server's. `is_verified` is left to
// whoever knows which names were expected.
Summary summarize_client(SSL* ssl, const std::string& digest, bool has_legacy_key_fingerprints);

// "A4:00:8F:…" of a certificate, and of its public key (RFC 5280's SubjectPublicKeyInfo; with `is_legacy` of the bare key
// bits, as Postfix 2.9.0 to 2.9.5 did). "" for a digest that does not exist.
std::string certificate_fingerprint(const X509* certificate, const std::string& digest);
std::string key_fingerprint(const X509* certificate, const std::string& digest, bool is_legacy);

// Last common name of a subject or issuer; the organisation's for an issuer without one. Printable ASCII.
std::string subject_name(const X509* certificate);
std::string issuer_name(const X509* certificate);
// "/O=org/CN=client one", for the log.
std::string one_line_name(const X509_NAME* name);

}  // namespace ekiden::tls
