// The functions behind the catalogue's rows, by the room that holds them. Each takes the running Evaluation and its own
// compiled Restriction and says what it thinks of the request.
#pragma once

#include "check/restriction.hpp"

namespace ekiden::check {

// evaluate.cpp: words without a room of their own
Step do_permit(Evaluation&, const Restriction&);
Step do_reject(Evaluation&, const Restriction&);
Step do_defer(Evaluation&, const Restriction&);
Step do_defer_if_permit(Evaluation&, const Restriction&);
Step do_defer_if_reject(Evaluation&, const Restriction&);
Step do_warn_if_reject(Evaluation&, const Restriction&);
Task<Step> do_sleep(Evaluation&, const Restriction&);

// client_rules.cpp
Task<Step> permit_mynetworks(Evaluation&, const Restriction&);
Step permit_inet_interfaces(Evaluation&, const Restriction&);
Step permit_sasl_authenticated(Evaluation&, const Restriction&);
Step reject_unknown_client(Evaluation&, const Restriction&);
Step reject_unknown_reverse_client(Evaluation&, const Restriction&);
Step reject_plaintext_session(Evaluation&, const Restriction&);
Step reject_unauth_pipelining(Evaluation&, const Restriction&);
std::vector<net::Address> find_own_addresses(const config::Settings& settings);

// helo_rules.cpp
Step reject_invalid_helo(Evaluation&, const Restriction&);
Step reject_non_fqdn_helo(Evaluation&, const Restriction&);
Task<Step> reject_unknown_helo(Evaluation&, const Restriction&);
Step permit_naked_ip_address(Evaluation&, const Restriction&);

// sender_rules.cpp: what an address must look like, and who may use it. row->detail: Subject
Step reject_non_fqdn_address(Evaluation&, const Restriction&);
Task<Step> reject_unknown_domain(Evaluation&, const Restriction&);
Task<Step> reject_login_mismatch(Evaluation&, const Restriction&);
enum LoginCheck : int { login_both, login_authenticated, login_unauthenticated, login_known };

// recipient_rules.cpp
Task<Step> permit_auth_destination(Evaluation&, const Restriction&);
Task<Step> reject_unauth_destination(Evaluation&, const Restriction&);
Task<Step> defer_unauth_destination(Evaluation&, const Restriction&);
Task<Step> check_relay_domains(Evaluation&, const Restriction&);
Task<Step> permit_mx_backup(Evaluation&, const Restriction&);
Task<Step> reject_unlisted(Evaluation&, const Restriction&);
Task<Step> check_unlisted(Evaluation&, Subject subject);
Step reject_multi_recipient_bounce(Evaluation&, const Restriction&);
// Is the recipient ours, or one of $relay_domains, without sender-specified routing?
enum class Authority : std::uint8_t { authorised, foreign, unknown };
Task<Authority> find_authority(Evaluation&);

// access_map.cpp. row->detail: what is looked up
enum AccessKey : int {
    access_client,
    access_reverse_client,
    access_helo,
    access_sender,
    access_recipient,
    access_etrn,
    access_sasl,
    access_list,
    hosts_mx = 16,
    hosts_a = 32,
    hosts_ns = 64  // added to one of the above: its mail exchangers, addresses, name servers
};
Task<Step> check_access(Evaluation&, const Restriction&);
Task<Step> check_host_access(Evaluation&, const Restriction&);    // host_access.cpp
// Carries out an answer of a table or a policy service ("REJECT text", "DUNNO", restriction names…) about `subject`;
// `key` is what was looked up.
Task<Step> apply_action(Evaluation&, std::string table, std::string key, std::string value, Subject subject);

// certificate_rules.cpp
Step permit_all_certificates(Evaluation&, const Restriction&);
Task<Step> permit_certificates(Evaluation&, const Restriction&);
Task<Step> check_certificate_access(Evaluation&, const Restriction&);
struct CertificateTable {
    std::string table;
    std::vector<std::string Facts::*> fingerprints;
};
// "type:table" or "{ type:table, { search_order = cert_fingerprint, pubkey_fingerprint } }"
Result<CertificateTable> parse_certificate_table(std::string_view argument);

// blocklist_rules.cpp. row->detail: whose name or address
enum BlockKey : int {
    block_client_address,
    block_client_name,
    block_reverse_name,
    block_helo,
    block_sender,
    block_recipient
};
Task<Step> reject_listed(Evaluation&, const Restriction&);
Task<Step> permit_listed(Evaluation&, const Restriction&);
Task<Step> reject_maps_rbl(Evaluation&, const Restriction&);

// verify_rules.cpp. row->detail: Subject
Task<Step> reject_unverified(Evaluation&, const Restriction&);

// policy_service.cpp
Task<Step> check_policy_service(Evaluation&, const Restriction&);

}  // namespace ekiden::check
