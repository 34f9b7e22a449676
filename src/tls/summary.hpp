// What a TLS session turned out to be: facts for access rules, the log line of smtpd_tls_loglevel 1 and the comment of
// smtpd_tls_received_header, in Postfix's words. Plain values, any thread.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::tls {

struct Summary {
    std::string protocol;               // "TLSv1.3"
    std::string cipher;                 // "TLS_AES_256_GCM_SHA384"
    int bits_used = 0, bits_of_cipher = 0;
    std::string
        key_exchange;  // "X25519", "ECDHE (prime256v1)", "DHE (2048 bits)"; "" before TLS 1.3, whose ciphers say it
    struct Signature {
        std::string scheme;             // "RSA-PSS (2048 bits)", "ECDSA (prime256v1)", "ED25519"; "" = none known
        std::string digest;             // "SHA256"; "" where the scheme has none of its own
    };
    Signature server_signature, client_signature;
    bool is_resumed = false;
    std::string server_name;  // the name (SNI) that a chain of tls_server_sni_maps was found for, as it was sent

    // The client's certificate. Names are printable ASCII, with ? for what is not; fingerprints are upper-case hexadecimal
    // pairs with colons.
    bool was_certificate_asked = false;
    bool has_certificate = false;
    bool is_verified = false;           // the chain leads to a trusted authority
    std::string subject, issuer;        // common names
    std::string certificate_fingerprint, key_fingerprint;
};

// "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits)
// server-digest SHA256", in one line.
std::string describe(const Summary& summary);

// "Anonymous TLS connection established from client: …", with "to name" for a server name; `client` as log lines call it.
std::string established_line(const Summary& summary, std::string_view client);

// "\t(using TLSv1.3 with cipher …)\n\t(No client certificate requested)\n": lines for the Received field.
std::string received_comment(const Summary& summary);

}  // namespace ekiden::tls
