#include "receive/local_clients.hpp"

namespace ekiden::receive {

LocalClients LocalClients::from(const config::Settings& settings, std::vector<std::string>& problems)
{
    LocalClients result;
    bool expects_map = false;
    for (const auto& word : settings.list("local_header_rewrite_clients")) {
        if (expects_map || word.find(':') != std::string::npos) {
            result.address_maps_.push_back(table::Maps::open("local_header_rewrite_clients", word));
            expects_map = false;
        } else if (word == "permit_inet_interfaces") result.with_own_addresses_ = true;
        else if (word == "permit_mynetworks") result.with_mynetworks_ = true;
        else if (word == "permit_sasl_authenticated") result.with_sasl_ = true;
        else if (word == "check_address_map") expects_map = true;
        else if (word == "permit_tls_clientcerts") result.with_certificates_ = true;
        else if (word == "permit_tls_all_clientcerts") result.with_all_certificates_ = true;
        else problems.push_back("unknown local_header_rewrite_clients item: " + word);
    }
    if (result.with_certificates_)
        result.relay_certificates_ = table::Maps::open("relay_clientcerts", settings.str("relay_clientcerts"));
    if (result.with_own_addresses_) result.own_addresses_ = rewrite::OwnAddresses::from(settings);
    if (result.with_mynetworks_) result.mynetworks_ = table::MatchList::open("mynetworks", settings.str("mynetworks"));
    return result;
}

Task<bool> LocalClients::match(const check::Facts& facts) const
{
    if (with_own_addresses_ && own_addresses_.is_interface(facts.client_address)) co_return true;
    if (with_mynetworks_) {
        const auto is_inside = co_await mynetworks_.matches_address(facts.client_address);
        if (is_inside.value_or(false)) co_return true;
    }
    if (with_sasl_ && !facts.sasl_username.empty()) co_return true;
    if (with_all_certificates_ && facts.is_ccert_verified) co_return true;
    if (with_certificates_) {
        for (const std::string& fingerprint : {facts.ccert_fingerprint, facts.ccert_pubkey_fingerprint}) {
            if (fingerprint.empty()) continue;
            const auto answer = co_await relay_certificates_.find(fingerprint);
            if (answer && *answer) co_return true;
        }
    }
    for (const auto& maps : address_maps_) {
        const auto answer = co_await maps.find(net::format_address(facts.client_address));
        if (answer && *answer) co_return true;
    }
    co_return false;
}

}  // namespace ekiden::receive
