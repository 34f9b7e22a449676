#include "rewrite/own_addresses.hpp"

#include "config/runtime_defaults.hpp"

#include <algorithm>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ekiden::rewrite {
namespace {

// The addresses of a host name; none when it has none.
void add_name(std::vector<net::Address>& out, const std::string& name)
{
    if (const auto address = net::parse_address(name)) {
        out.push_back(*address);
        return;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
    for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
        char host[NI_MAXHOST];
        if (getnameinfo(entry->ai_addr, entry->ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0)
            continue;
        if (const auto address = net::parse_address(host)) out.push_back(*address);
    }
}

bool contains(const std::vector<net::Address>& list, const net::Address& address)
{
    return std::find(list.begin(), list.end(), address) != list.end();
}

}  // namespace

OwnAddresses::OwnAddresses(std::vector<net::Address> interfaces, std::vector<net::Address> proxies)
    : interfaces_(std::move(interfaces)), proxies_(std::move(proxies))
{
}

OwnAddresses OwnAddresses::from(const config::Settings& settings)
{
    std::vector<net::Address> interfaces, proxies;
    for (const auto& own : config::own_addresses(settings.str("inet_interfaces"), settings.str("inet_protocols")))
        if (const auto address = net::parse_address(own.address)) interfaces.push_back(*address);
    for (const auto& item : settings.list("proxy_interfaces")) add_name(proxies, item);
    return OwnAddresses(std::move(interfaces), std::move(proxies));
}

bool OwnAddresses::is_interface(const net::Address& address) const { return contains(interfaces_, address); }

bool OwnAddresses::is_interface_or_proxy(const net::Address& address) const
{
    return contains(interfaces_, address) || contains(proxies_, address);
}

}  // namespace ekiden::rewrite
