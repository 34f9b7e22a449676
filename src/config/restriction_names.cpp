#include "config/restriction_names.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace ekiden::config {

namespace {

constexpr RestrictionName names[] = {
    {"permit"},
    {"reject"},
    {"defer"},
    {"warn_if_reject"},
    {"defer_if_permit"},
    {"defer_if_reject"},
    {"sleep", true},
    {"permit_inet_interfaces"},
    {"permit_mynetworks"},
    {"permit_sasl_authenticated"},
    {"permit_tls_clientcerts"},
    {"permit_tls_all_clientcerts"},
    {"permit_auth_destination"},
    {"permit_mx_backup"},
    {"permit_naked_ip_address", false, "is no longer there: use permit_mynetworks or permit_sasl_authenticated"},
    {"reject_unauth_destination"},
    {"defer_unauth_destination"},
    {"reject_unauth_pipelining"},
    {"reject_plaintext_session"},
    {"reject_unknown_client_hostname"},
    {"reject_unknown_reverse_client_hostname"},
    {"reject_unknown_client", false, "is called reject_unknown_client_hostname since Postfix 2.3"},
    {"reject_invalid_helo_hostname"},
    {"reject_non_fqdn_helo_hostname"},
    {"reject_unknown_helo_hostname"},
    {"reject_invalid_hostname", false, "is called reject_invalid_helo_hostname since Postfix 2.3"},
    {"reject_non_fqdn_hostname", false, "is called reject_non_fqdn_helo_hostname since Postfix 2.3"},
    {"reject_unknown_hostname", false, "is called reject_unknown_helo_hostname since Postfix 2.3"},
    {"reject_non_fqdn_sender"},
    {"reject_non_fqdn_recipient"},
    {"reject_unknown_sender_domain"},
    {"reject_unknown_recipient_domain"},
    {"reject_unknown_address", false, "is no longer there: use reject_unknown_sender_domain"},
    {"reject_unlisted_sender"},
    {"reject_unlisted_recipient"},
    {"check_recipient_maps", false, "is called reject_unlisted_recipient"},
    {"reject_unverified_sender"},
    {"reject_unverified_recipient"},
    {"reject_multi_recipient_bounce"},
    {"reject_sender_login_mismatch"},
    {"reject_authenticated_sender_login_mismatch"},
    {"reject_known_sender_login_mismatch"},
    {"reject_unauthenticated_sender_login_mismatch"},
    {"reject_rbl_client", true},
    {"reject_rhsbl_client", true},
    {"reject_rhsbl_reverse_client", true},
    {"reject_rhsbl_helo", true},
    {"reject_rhsbl_sender", true},
    {"reject_rhsbl_recipient", true},
    {"permit_dnswl_client", true},
    {"permit_rhswl_client", true},
    {"reject_maps_rbl", false, "is no longer there: use reject_rbl_client"},
    {"check_relay_domains", false, "will be removed: use reject_unauth_destination"},
    {"check_client_access", true},
    {"check_reverse_client_hostname_access", true},
    {"check_client_ns_access", true},
    {"check_client_mx_access", true},
    {"check_client_a_access", true},
    {"check_reverse_client_hostname_ns_access", true},
    {"check_reverse_client_hostname_mx_access", true},
    {"check_reverse_client_hostname_a_access", true},
    {"check_ccert_access", true},
    {"check_helo_access", true},
    {"check_helo_ns_access", true},
    {"check_helo_mx_access", true},
    {"check_helo_a_access", true},
    {"check_sender_access", true},
    {"check_sender_ns_access", true},
    {"check_sender_mx_access", true},
    {"check_sender_a_access", true},
    {"check_recipient_access", true},
    {"check_recipient_ns_access", true},
    {"check_recipient_mx_access", true},
    {"check_recipient_a_access", true},
    {"check_etrn_access", true},
    {"check_sasl_access", true},
    {"check_policy_service", true},
};

}  // namespace

const RestrictionName* find_restriction(std::string_view name)
{
    const auto found =
        std::ranges::find_if(names, [&](const auto& row) { return base::equal_ignoring_case(row.name, name); });
    return found == std::end(names) ? nullptr : found;
}

std::string_view nearest_restriction(std::string_view name)
{
    base::Nearest nearest(name, 3);
    for (const auto& row : names) nearest.look_at(row.name);
    const std::string_view best = nearest.best();
    if (!best.empty() || name.size() < 8) return best;
    // "reject_rbl": the first that is no old name.
    const auto longer = std::ranges::find_if(names, [&](const auto& row) {
        return row.advice.empty() && base::starts_with_ignoring_case(row.name, name);
    });
    return longer == std::end(names) ? best : longer->name;
}

}  // namespace ekiden::config
