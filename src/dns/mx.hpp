// Where mail for a domain goes: the addresses of its mail hosts in the order to try them (RFC 5321 5.1, RFC 7505).
//
// Order: MX preference; within one preference shuffled, by family if one is preferred. A host of our own ends the list:
// it and everything at its preference or behind it is left out, so that mail cannot loop; `is_ours` tells. Bounded: at most
// `max_mx_hosts` names are looked up and `address_limit` addresses wanted; further preferences are not asked for once
// there are enough. Nothing found is no error of ours: `trouble` says what to tell the sender, permanent or not.
#pragma once

#include "dns/resolver.hpp"

#include <functional>
#include <string>
#include <vector>

namespace ekiden::dns {

inline constexpr std::size_t max_mx_hosts = 100;

struct MailHost {
    std::string name;            // "mx.remote.test", or the address itself for an address literal
    net::Address address;
    std::uint16_t preference = 0;
};

enum class FamilyPreference : std::uint8_t { any, ipv4, ipv6 };

struct MailHostOptions {
    AddressFamilies families;
    FamilyPreference preferred = FamilyPreference::any;
    bool is_shuffled = true;                 // smtp_randomize_addresses
    Source address_source = Source::dns;     // smtp_host_lookup: hosts_and_dns for "native", dns_then_hosts for both
    bool uses_mx = true;                     // false: disable_dns_lookups, or the name was in brackets
    bool ignores_mx_trouble = false;         // ignore_mx_lookup_error
    bool defers_without_address = false;     // smtp_defer_if_no_mx_address_found
    std::size_t address_limit = 0;           // smtp_mx_address_limit; 0 = no limit
    bool is_balanced = true;  // smtp_balance_inet_protocols: both families among the first `address_limit`
    // Is this address ours (inet_interfaces, proxy_interfaces)? Empty: no look-out for loops.
    std::function<bool(const net::Address&)> is_own_address;
};

struct MailHosts {
    std::vector<MailHost> hosts;
    // When `hosts` is empty: enhanced status code and text in Postfix's words.
    std::string code, text;
    std::string warning;      // for the log ("no MX host for x has a valid address record"), or empty
    bool is_dns_trouble = false;   // the name service did not answer
    bool is_ours = false;          // one of the hosts is this one
};

// `name`: domain, host, or address (with or without brackets).
Task<MailHosts> find_mail_hosts(Resolver& resolver, std::string name, const MailHostOptions& options);

}  // namespace ekiden::dns
