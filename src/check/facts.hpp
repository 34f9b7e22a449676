// What a restriction may know: the session and the transaction as far as they have come. Filled by receive, read by
// check; strings are in internal address form. One owner, the session's core.
#pragma once

#include "mail/envelope.hpp"
#include "net/endpoint.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::check {

enum class NameStatus : std::uint8_t { verified, unknown, forged, temporary };

struct Facts {
    // Session
    net::Address client_address;
    std::uint16_t client_port = 0;
    net::Address server_address;
    std::uint16_t server_port = 0;
    std::string client_name = "unknown";          // verified forward and back, else "unknown"
    std::string reverse_client_name = "unknown";  // PTR, unverified
    NameStatus name_status = NameStatus::unknown;
    NameStatus reverse_name_status = NameStatus::unknown;
    std::string helo_name;                        // "" before HELO/EHLO
    std::string protocol = "SMTP";
    std::string sasl_method, sasl_username, sasl_sender;
    bool is_encrypted = false;
    // TLS: what the session has, and what the client showed. All "" or 0 without; fingerprints are upper-case hexadecimal
    // pairs with colons, by smtpd_tls_fingerprint_digest.
    std::string tls_protocol, tls_cipher;         // "TLSv1.3", "TLS_AES_256_GCM_SHA384"
    int tls_cipher_bits = 0;
    bool is_ccert_verified = false;               // the chain leads to a trusted authority
    std::string ccert_subject, ccert_issuer;      // common names
    std::string ccert_fingerprint, ccert_pubkey_fingerprint;
    std::string service_name;                     // "smtp", "submission" (smtpd service as in master.cf)
    // Transaction
    bool has_sender = false;
    std::string sender, recipient;
    std::uint64_t message_size = 0;               // SIZE=, later the real size
    std::size_t recipient_count = 0;              // accepted so far
    std::string queue_id;                         // formatted, "" before the first recipient
    std::string instance;                         // for policy services
    std::string command;                          // verb for log lines if it is not the stage's own: "EHLO", "BDAT"
    bool has_pipelined_early = false;             // the client sent commands ahead of time where it must not
    bool is_smtputf8 = false;
    bool is_held = false;                         // an earlier HOLD, which is not told of again
    std::string etrn_domain;
    // Every recipient that was accepted so far (data and end-of-data restrictions).
    std::vector<std::string> recipients;

    bool shows_port = false;                      // smtpd_client_port_logging
    // With smtpd_delay_reject = no: a DEFER_IF_PERMIT of an earlier stage, which is due at RCPT if nothing refuses there.
    // Policy::evaluate's own memory; nobody else reads or writes it, and it stays with the session.
    struct Deferral {
        int code = 0;
        std::string enhanced, text;
    };
    mutable std::optional<Deferral> client_deferral, helo_deferral, sender_deferral;

    std::string client_label() const
    {
        return client_name + "[" + net::format_address(client_address) + "]" +
               (shows_port ? ":" + std::to_string(client_port) : "");
    }
};

}  // namespace ekiden::check
