#include "config/runtime_defaults.hpp"

#include "base/text.hpp"
#include "config/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <memory>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

namespace ekiden::config {

namespace {

std::string address_text(const sockaddr& address)
{
    char buffer[INET6_ADDRSTRLEN] = "";
    if (address.sa_family == AF_INET)
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, buffer, sizeof buffer);
    else
        inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, buffer, sizeof buffer);
    return buffer;
}

int prefix_length(const sockaddr* mask, bool is_ipv6)
{
    if (mask == nullptr) return is_ipv6 ? 128 : 32;
    int bits = 0;
    if (!is_ipv6) return std::popcount(reinterpret_cast<const sockaddr_in*>(mask)->sin_addr.s_addr);
    for (const auto byte : reinterpret_cast<const sockaddr_in6*>(mask)->sin6_addr.s6_addr) bits += std::popcount(byte);
    return bits;
}

std::string network_text(const InterfaceAddress& own, int prefix)
{
    std::array<unsigned char, 16> bytes{};
    const std::size_t size = own.is_ipv6 ? 16 : 4;
    inet_pton(own.is_ipv6 ? AF_INET6 : AF_INET, own.address.c_str(), bytes.data());
    for (std::size_t i = 0; i < size; ++i) {
        const int kept = std::clamp(prefix - static_cast<int>(i) * 8, 0, 8);
        bytes[i] = static_cast<unsigned char>(bytes[i] & (0xff00 >> kept));
    }
    char buffer[INET6_ADDRSTRLEN] = "";
    inet_ntop(own.is_ipv6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
    return own.is_ipv6 ? fmt::format("[{}]/{}", buffer, prefix) : fmt::format("{}/{}", buffer, prefix);
}

int class_prefix(const std::string& address)
{
    in_addr parsed{};
    inet_pton(AF_INET, address.c_str(), &parsed);
    const auto first = ntohl(parsed.s_addr) >> 24;
    return first < 128 ? 8 : first < 192 ? 16 : 24;
}

// The addresses of a host name or address literal; empty if there are none.
std::vector<std::string> resolve(const std::string& host)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> guard(found, freeaddrinfo);
    std::vector<std::string> addresses;
    for (auto* entry = found; entry != nullptr; entry = entry->ai_next)
        if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6)
            addresses.push_back(address_text(*entry->ai_addr));
    return addresses;
}

}  // namespace

std::string default_myhostname(std::string_view mydomain)
{
    char buffer[256] = "";
    if (gethostname(buffer, sizeof buffer - 1) != 0) std::strcpy(buffer, "localhost");
    std::string host(buffer);
    if (host.find('.') != std::string::npos) return host;
    return fmt::format("{}.{}", host, mydomain.empty() ? "localdomain" : mydomain);
}

std::string default_mydomain(std::string_view myhostname)
{
    const auto dot = myhostname.find('.');
    return dot == std::string_view::npos ? "localdomain" : std::string(myhostname.substr(dot + 1));
}

std::vector<InterfaceAddress> local_addresses()
{
    ifaddrs* list = nullptr;
    std::vector<InterfaceAddress> found;
    if (getifaddrs(&list) != 0) return found;
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> guard(list, freeifaddrs);
    for (auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
        const int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        found.push_back({address_text(*entry->ifa_addr), prefix_length(entry->ifa_netmask, family == AF_INET6),
                         family == AF_INET6, (entry->ifa_flags & IFF_LOOPBACK) != 0});
    }
    std::vector<InterfaceAddress> sorted;
    for (const bool is_ipv6 : {false, true})
        std::ranges::copy_if(found, std::back_inserter(sorted), [&](const auto& a) { return a.is_ipv6 == is_ipv6; });
    return sorted;
}

Protocols parse_inet_protocols(std::string_view value)
{
    Protocols protocols;
    for (const auto word : base::split_any(value)) {
        const bool is_all = base::equal_ignoring_case(word, "all");
        const bool is_v4 = is_all || base::equal_ignoring_case(word, "ipv4");
        const bool is_v6 = is_all || base::equal_ignoring_case(word, "ipv6");
        if (!is_v4 && !is_v6)
            throw ConfigError(fmt::format("unknown inet_protocols value \"{}\" in \"{}\"", word, value));
        protocols.ipv4 |= is_v4;
        protocols.ipv6 |= is_v6;
    }
    return protocols;
}

std::vector<InterfaceAddress> own_addresses(std::string_view inet_interfaces, std::string_view inet_protocols)
{
    const auto protocols = parse_inet_protocols(inet_protocols);
    auto local = local_addresses();
    std::erase_if(local, [&](const InterfaceAddress& a) { return a.is_ipv6 ? !protocols.ipv6 : !protocols.ipv4; });
    if (base::equal_ignoring_case(inet_interfaces, "all")) return local;
    if (base::equal_ignoring_case(inet_interfaces, "loopback-only")) {
        std::erase_if(local, [](const InterfaceAddress& a) { return !a.is_loopback; });
        return local;
    }
    std::vector<InterfaceAddress> chosen;
    for (auto word : base::split_any(inet_interfaces)) {
        const auto name = word;
        if (word.starts_with('[') && word.ends_with(']')) word = word.substr(1, word.size() - 2);
        const auto addresses = resolve(std::string(word));
        if (addresses.empty())
            throw ConfigError(fmt::format("config variable inet_interfaces: host not found: {}", name));
        for (const auto& address : addresses) {
            const auto match = std::ranges::find(local, address, &InterfaceAddress::address);
            if (match != local.end()) {
                if (std::ranges::find(chosen, address, &InterfaceAddress::address) == chosen.end())
                    chosen.push_back(*match);
                continue;
            }
            const bool is_ipv6 = address.find(':') != std::string::npos;
            if (is_ipv6 ? protocols.ipv6 : protocols.ipv4)
                throw ConfigError(fmt::format("parameter inet_interfaces: no local interface found for {}", address));
        }
    }
    return chosen;
}

std::string default_mynetworks(std::string_view style, const std::vector<InterfaceAddress>& own)
{
    const bool is_host = base::equal_ignoring_case(style, "host");
    const bool is_class = base::equal_ignoring_case(style, "class");
    if (!is_host && !is_class && !base::equal_ignoring_case(style, "subnet"))
        throw ConfigError(fmt::format("unknown mynetworks mask style value \"{0}\" in \"{0}\"", style));
    std::vector<std::string> networks;
    for (const auto& address : own) {
        int prefix = address.prefix;
        if (is_host) prefix = address.is_ipv6 ? 128 : 32;
        if (is_class && !address.is_ipv6) prefix = class_prefix(address.address);
        auto network = network_text(address, prefix);
        if (std::ranges::find(networks, network) == networks.end()) networks.push_back(std::move(network));
    }
    // Each network is followed by a blank, which shows where a list mentions $mynetworks ("… [::1]/128 , hash:…").
    std::string text;
    for (const auto& network : networks) text.append(network).append(" ");
    return text;
}

}  // namespace ekiden::config
