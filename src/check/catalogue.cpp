#include "base/text.hpp"
#include "check/rules.hpp"

namespace ekiden::check {
namespace {

using enum Argument;
constexpr auto full = Support::full;
constexpr auto obsolete = Support::obsolete;

constexpr int of(Subject subject) { return static_cast<int>(subject); }

// Every restriction there is. A name that is missing here answers "451 4.3.5 Server configuration error": a check that
// someone wrote down must never be skipped in silence.
constexpr Row catalogue_rows[] = {
    // name                                    argument  at once                      awaiting                   support   modern name, detail
    {"permit",                                 none,    do_permit},
    {"reject",                                 none,    do_reject},
    {"defer",                                  none,    do_defer},
    {"defer_if_permit",                        none,    do_defer_if_permit},
    {"defer_if_reject",                        none,    do_defer_if_reject},
    {"warn_if_reject",                         none,    do_warn_if_reject},
    {"sleep",                                  number,  nullptr,                      do_sleep},
    {"reject_plaintext_session",               none,    reject_plaintext_session},
    {"reject_unauth_pipelining",               none,    reject_unauth_pipelining},
    {"check_policy_service",                   service, nullptr,                      check_policy_service},

    {"permit_mynetworks",                      none,    nullptr,                      permit_mynetworks},
    {"permit_inet_interfaces",                 none,    permit_inet_interfaces},
    {"permit_sasl_authenticated",              none,    permit_sasl_authenticated},
    {"permit_tls_clientcerts",                 none,    nullptr,                      permit_certificates},
    {"permit_tls_all_clientcerts",             none,    permit_all_certificates},
    {"reject_unknown_client_hostname",         none,    reject_unknown_client},
    {"reject_unknown_reverse_client_hostname", none,    reject_unknown_reverse_client},
    {"reject_rbl_client",                      domain,  nullptr,                      reject_listed,             full,     {}, block_client_address},
    {"reject_rhsbl_client",                    domain,  nullptr,                      reject_listed,             full,     {}, block_client_name},
    {"reject_rhsbl_reverse_client",            domain,  nullptr,                      reject_listed,             full,     {}, block_reverse_name},
    {"reject_rhsbl_helo",                      domain,  nullptr,                      reject_listed,             full,     {}, block_helo},
    {"reject_rhsbl_sender",                    domain,  nullptr,                      reject_listed,             full,     {}, block_sender},
    {"reject_rhsbl_recipient",                 domain,  nullptr,                      reject_listed,             full,     {}, block_recipient},
    {"permit_dnswl_client",                    domain,  nullptr,                      permit_listed,             full,     {}, block_client_address},
    {"permit_rhswl_client",                    domain,  nullptr,                      permit_listed,             full,     {}, block_client_name},

    {"reject_invalid_helo_hostname",           none,    reject_invalid_helo},
    {"reject_non_fqdn_helo_hostname",          none,    reject_non_fqdn_helo},
    {"reject_unknown_helo_hostname",           none,    nullptr,                      reject_unknown_helo},

    {"reject_non_fqdn_sender",                 none,    reject_non_fqdn_address,      nullptr,                   full,     {}, of(Subject::sender)},
    {"reject_unknown_sender_domain",           none,    nullptr,                      reject_unknown_domain,     full,     {}, of(Subject::sender)},
    {"reject_unlisted_sender",                 none,    nullptr,                      reject_unlisted,           full,     {}, of(Subject::sender)},
    {"reject_unverified_sender",               none,    nullptr,                      reject_unverified,         full,     {}, of(Subject::sender)},
    {"reject_sender_login_mismatch",           none,    nullptr,                      reject_login_mismatch,     full,     {}, login_both},
    {"reject_authenticated_sender_login_mismatch", none, nullptr,                     reject_login_mismatch,     full,     {}, login_authenticated},
    {"reject_unauthenticated_sender_login_mismatch", none, nullptr,                   reject_login_mismatch,     full,     {}, login_unauthenticated},
    {"reject_known_sender_login_mismatch",     none,    nullptr,                      reject_login_mismatch,     full,     {}, login_known},

    {"permit_auth_destination",                none,    nullptr,                      permit_auth_destination},
    {"reject_unauth_destination",              none,    nullptr,                      reject_unauth_destination},
    {"defer_unauth_destination",               none,    nullptr,                      defer_unauth_destination},
    {"permit_mx_backup",                       none,    nullptr,                      permit_mx_backup},
    {"reject_non_fqdn_recipient",              none,    reject_non_fqdn_address,      nullptr,                   full,     {}, of(Subject::recipient)},
    {"reject_unknown_recipient_domain",        none,    nullptr,                      reject_unknown_domain,     full,     {}, of(Subject::recipient)},
    {"reject_unlisted_recipient",              none,    nullptr,                      reject_unlisted,           full,     {}, of(Subject::recipient)},
    {"reject_unverified_recipient",            none,    nullptr,                      reject_unverified,         full,     {}, of(Subject::recipient)},
    {"reject_multi_recipient_bounce",          none,    reject_multi_recipient_bounce},

    {"check_client_access",                    table,   nullptr,                      check_access,              full,     {}, access_client},
    {"check_reverse_client_hostname_access",   table,   nullptr,                      check_access,              full,     {}, access_reverse_client},
    {"check_helo_access",                      table,   nullptr,                      check_access,              full,     {}, access_helo},
    {"check_sender_access",                    table,   nullptr,                      check_access,              full,     {}, access_sender},
    {"check_recipient_access",                 table,   nullptr,                      check_access,              full,     {}, access_recipient},
    {"check_etrn_access",                      table,   nullptr,                      check_access,              full,     {}, access_etrn},
    {"check_sasl_access",                      table,   nullptr,                      check_access,              full,     {}, access_sasl},
    {"check_ccert_access",                     certificate_table, nullptr,            check_certificate_access},
    {"check_client_mx_access",                 table,   nullptr,                      check_host_access,         full,     {}, access_client | hosts_mx},
    {"check_client_a_access",                  table,   nullptr,                      check_host_access,         full,     {}, access_client | hosts_a},
    {"check_client_ns_access",                 table,   nullptr,                      check_host_access,         full,     {}, access_client | hosts_ns},
    {"check_reverse_client_hostname_mx_access", table,  nullptr,                      check_host_access,         full,     {}, access_reverse_client | hosts_mx},
    {"check_reverse_client_hostname_a_access", table,   nullptr,                      check_host_access,         full,     {}, access_reverse_client | hosts_a},
    {"check_reverse_client_hostname_ns_access", table,   nullptr,                      check_host_access,         full,     {}, access_reverse_client | hosts_ns},
    {"check_helo_mx_access",                   table,   nullptr,                      check_host_access,         full,     {}, access_helo | hosts_mx},
    {"check_helo_a_access",                    table,   nullptr,                      check_host_access,         full,     {}, access_helo | hosts_a},
    {"check_helo_ns_access",                   table,   nullptr,                      check_host_access,         full,     {}, access_helo | hosts_ns},
    {"check_sender_mx_access",                 table,   nullptr,                      check_host_access,         full,     {}, access_sender | hosts_mx},
    {"check_sender_a_access",                  table,   nullptr,                      check_host_access,         full,     {}, access_sender | hosts_a},
    {"check_sender_ns_access",                 table,   nullptr,                      check_host_access,         full,     {}, access_sender | hosts_ns},
    {"check_recipient_mx_access",              table,   nullptr,                      check_host_access,         full,     {}, access_recipient | hosts_mx},
    {"check_recipient_a_access",               table,   nullptr,                      check_host_access,         full,     {}, access_recipient | hosts_a},
    {"check_recipient_ns_access",              table,   nullptr,                      check_host_access,         full,     {}, access_recipient | hosts_ns},

    // Names of long ago, which many a main.cf still has.
    {"check_relay_domains",                    none,    nullptr,                      check_relay_domains,       obsolete, "reject_unauth_destination"},
    {"reject_maps_rbl",                        none,    nullptr,                      reject_maps_rbl,           obsolete, "reject_rbl_client domain-name"},
    {"permit_naked_ip_address",                none,    permit_naked_ip_address,      nullptr,                   obsolete, "permit_mynetworks"},
    {"reject_unknown_client",                  none,    reject_unknown_client,        nullptr,                   obsolete, "reject_unknown_client_hostname"},
    {"reject_invalid_hostname",                none,    reject_invalid_helo,          nullptr,                   obsolete, "reject_invalid_helo_hostname"},
    {"reject_non_fqdn_hostname",               none,    reject_non_fqdn_helo,         nullptr,                   obsolete, "reject_non_fqdn_helo_hostname"},
    {"reject_unknown_hostname",                none,    nullptr,                      reject_unknown_helo,       obsolete, "reject_unknown_helo_hostname"},
    {"reject_unknown_address",                 none,    nullptr,                      reject_unknown_domain,     obsolete, "reject_unknown_sender_domain", of(Subject::sender)},
    {"check_recipient_maps",                   none,    nullptr,                      reject_unlisted,           obsolete, "reject_unlisted_recipient", of(Subject::recipient)},
};

}  // namespace

std::span<const Row> rows() { return catalogue_rows; }

const Row* find_row(std::string_view name)
{
    for (const Row& row : catalogue_rows) {
        if (base::equal_ignoring_case(row.name, name)) return &row;
    }
    return nullptr;
}

}  // namespace ekiden::check
