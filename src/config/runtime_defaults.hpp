// Defaults that depend on the machine: $myhostname, $mydomain, $mynetworks. Thread: any; reads the host's name and
// interfaces each time it is asked.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::config {

// gethostname(), completed with `.domain` ("localdomain" if that is empty) where it has no dot.
std::string default_myhostname(std::string_view mydomain);
// What follows the first dot of `myhostname`, else "localdomain".
std::string default_mydomain(std::string_view myhostname);

struct InterfaceAddress {
    std::string address;  // without brackets or scope
    int prefix = 0;       // length of the network mask
    bool is_ipv6 = false;
    bool is_loopback = false;
};
// Addresses of interfaces that are up, IPv4 first.
std::vector<InterfaceAddress> local_addresses();

// Which of them inet_interfaces and inet_protocols choose. Throws ConfigError: "config variable inet_interfaces: host
// not found: NAME", "parameter inet_interfaces: no local interface found for ADDRESS", "unknown inet_protocols value".
std::vector<InterfaceAddress> own_addresses(std::string_view inet_interfaces, std::string_view inet_protocols);

// "127.0.0.0/8 [::1]/128" for mynetworks_style host, subnet or class. Throws ConfigError for any other style.
std::string default_mynetworks(std::string_view style, const std::vector<InterfaceAddress>& own);

// all, ipv4, ipv6 in any combination; throws ConfigError as Postfix words it.
struct Protocols {
    bool ipv4 = false;
    bool ipv6 = false;
};
Protocols parse_inet_protocols(std::string_view value);

}  // namespace ekiden::config
