// The network addresses that are this host: inet_interfaces and proxy_interfaces as addresses. Mail for user@[address] is
// local, and permit_inet_interfaces means clients that come from one of them. Looked up once per settings snapshot.
#pragma once

#include "config/settings.hpp"
#include "net/endpoint.hpp"

#include <vector>

namespace ekiden::rewrite {

// Interfaces as config/runtime_defaults chooses them; names of proxies are looked up with the system's resolver (blocks).
// A proxy name that cannot be found is left out.
class OwnAddresses {
public:
    static OwnAddresses from(const config::Settings& settings);
    explicit OwnAddresses(std::vector<net::Address> interfaces = {}, std::vector<net::Address> proxies = {});

    bool is_interface(const net::Address& address) const;            // inet_interfaces
    bool is_interface_or_proxy(const net::Address& address) const;   // and proxy_interfaces

private:
    std::vector<net::Address> interfaces_, proxies_;
};

}  // namespace ekiden::rewrite
