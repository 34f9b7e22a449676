#include "daemon/services.hpp"

#include "base/text.hpp"
#include "config/runtime_defaults.hpp"
#include "daemon/spawn_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

struct Program {
    std::string_view name;
    Role role;
};
constexpr Program programs[] = {
    {"anvil", Role::inside},      {"bounce", Role::inside},    {"cleanup", Role::inside},  {"discard", Role::transport},
    {"dnsblog", Role::inside},    {"error", Role::transport},  {"flush", Role::inside},    {"lmtp", Role::transport},
    {"local", Role::transport},   {"nqmgr", Role::inside},     {"pickup", Role::inside},   {"pipe", Role::transport},
    {"postlogd", Role::inside},   {"postscreen", Role::not_yet}, {"proxymap", Role::inside}, {"qmgr", Role::inside},
    {"qmqpd", Role::not_yet},     {"scache", Role::inside},    {"showq", Role::inside},    {"smtp", Role::transport},
    {"smtpd", Role::smtp_server}, {"spawn", Role::spawner},    {"tlsmgr", Role::inside},   {"tlsproxy", Role::inside},
    {"trivial-rewrite", Role::inside}, {"verify", Role::inside}, {"virtual", Role::transport},
};

struct Families {
    bool ipv4 = false, ipv6 = false;
};

Families families_of(const config::Settings& settings)
{
    Families families;
    for (const std::string& word : settings.list("inet_protocols")) {
        if (word == "all") families.ipv4 = families.ipv6 = true;
        else if (word == "ipv4") families.ipv4 = true;
        else if (word == "ipv6") families.ipv6 = true;
        else
            throw config::ConfigError(fmt::format("parameter inet_protocols: unknown protocol: {}", word),
                                      settings.location("inet_protocols"));
    }
    return families;
}

// Does the kernel have that family at all? A container without IPv6 must not stop the mail.
bool is_available(int family)
{
    int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    sockaddr_storage any{};
    any.ss_family = static_cast<sa_family_t>(family);
    bool can_bind = ::bind(fd, reinterpret_cast<sockaddr*>(&any),
                           family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)) == 0;
    ::close(fd);
    return can_bind;
}

std::vector<net::Address> resolve(const std::string& host, Families families, const std::string& parameter)
{
    if (auto address = net::parse_address(host)) return {*address};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0)
        throw config::ConfigError(fmt::format("config variable {}: host not found: {}", parameter, host));
    std::vector<net::Address> addresses;
    for (addrinfo* at = found; at; at = at->ai_next) {
        net::Address address;
        if (at->ai_family == AF_INET && families.ipv4) {
            auto* in = reinterpret_cast<sockaddr_in*>(at->ai_addr);
            address = boost::asio::ip::address_v4(ntohl(in->sin_addr.s_addr));
        } else if (at->ai_family == AF_INET6 && families.ipv6) {
            auto* in = reinterpret_cast<sockaddr_in6*>(at->ai_addr);
            boost::asio::ip::address_v6::bytes_type bytes;
            std::memcpy(bytes.data(), &in->sin6_addr, bytes.size());
            address = boost::asio::ip::address_v6(bytes);
        } else {
            continue;
        }
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
    }
    ::freeaddrinfo(found);
    return addresses;
}

std::vector<net::Address> interface_addresses(const config::Settings& settings)
{
    Families families = families_of(settings);
    families.ipv4 = families.ipv4 && is_available(AF_INET);
    families.ipv6 = families.ipv6 && is_available(AF_INET6);
    std::vector<net::Address> addresses;
    auto words = settings.list("inet_interfaces");
    if (words.size() == 1 && words[0] == "all") {
        if (families.ipv4) addresses.push_back(boost::asio::ip::address_v4::any());
        if (families.ipv6) addresses.push_back(boost::asio::ip::address_v6::any());
        return addresses;
    }
    if (words.size() == 1 && words[0] == "loopback-only") {
        // Those that are there: a container may know IPv6 and have no ::1.
        for (const auto& own : config::own_addresses(words[0], settings.str("inet_protocols"))) {
            if (own.is_ipv6 ? families.ipv6 : families.ipv4)
                addresses.push_back(boost::asio::ip::make_address(own.address));
        }
        return addresses;
    }
    for (const std::string& word : words) {
        for (const net::Address& address : resolve(word, families, "inet_interfaces")) {
            bool is_wanted = address.is_v4() ? families.ipv4 : families.ipv6;
            if (is_wanted && std::find(addresses.begin(), addresses.end(), address) == addresses.end())
                addresses.push_back(address);
        }
    }
    return addresses;
}

}  // namespace

Role role_of(std::string_view program)
{
    auto at =
        std::find_if(std::begin(programs), std::end(programs), [&](const Program& p) { return p.name == program; });
    return at == std::end(programs) ? Role::unknown : at->role;
}

std::vector<net::Endpoint> endpoints_of(const config::Settings& settings, const config::ServiceSpec& service)
{
    // "host:port" or "port"; a bracketed host may hold colons.
    std::string host, port = service.name;
    if (std::size_t colon = service.name.rfind(':'); colon != std::string::npos) {
        host = service.name.substr(0, colon);
        port = service.name.substr(colon + 1);
    }
    config::Location at{service.file, service.line};
    auto number = net::find_port(port, settings.str("known_tcp_ports"));
    if (!number)
        throw config::ConfigError(fmt::format("{}unknown service name or port: {}", config::place_of(at), port), at);

    std::vector<net::Endpoint> endpoints;
    std::vector<net::Address> addresses =
        host.empty() ? interface_addresses(settings)
                     : resolve(host, families_of(settings), "master.cf service " + service.name);
    for (const net::Address& address : addresses) endpoints.push_back({address, *number});
    if (endpoints.empty())
        throw config::ConfigError(
            fmt::format("{}service {} has no address to listen on (inet_interfaces, inet_protocols)",
                        config::place_of(at), service.name),
            at);
    return endpoints;
}

// The first word behind the options of a service whose program takes none; empty: there is none.
static std::string find_stray_word(const config::ServiceSpec& service)
{
    // These have words of their own: a command, flags=DO.
    static constexpr std::string_view with_words[] = {"pipe", "spawn", "smtp", "lmtp", "postscreen"};
    if (std::ranges::find(with_words, service.command) != std::end(with_words)) return {};
    const auto& words = service.arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (!words[i].starts_with('-')) return words[i];
        if (words[i].ends_with('o')) ++i;    // "-o", "-vo": its value is the next word
    }
    return {};
}

// What serves the same port meanwhile.
static std::string instead_of(const config::ServiceSpec& service)
{
    if (service.command != "postscreen") return {};
    const bool is_behind_proxy = std::ranges::any_of(
        service.overrides, [](const auto& entry) { return entry.first == "postscreen_upstream_proxy_protocol"; });
    return fmt::format("write smtpd in its place, with the -o lines of the line \"smtpd pass\"{}, and DNS lists as "
                       "reject_rbl_client in smtpd_client_restrictions",
                       is_behind_proxy ? " and smtpd_upstream_proxy_protocol for postscreen_upstream_proxy_protocol"
                                       : "");
}

std::vector<config::Problem> find_service_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems;
    auto add = [&](const config::ServiceSpec& service, config::Problem::Level level, std::string text,
                   std::string_view advice = {}) {
        problems.push_back(config::make_problem(level, {service.file, service.line}, text, {}, advice));
    };
    for (const config::ServiceSpec& service : settings.services()) {
        Role role = role_of(service.command);
        if (role == Role::unknown) {
            add(service, config::Problem::Level::fatal,
                fmt::format(
                    "service {} runs \"{}\", which Ekiden does not know; remove the line, or use a program of Postfix",
                    service.name, service.command));
        } else if (role == Role::not_yet) {
            // A port that listens without its guard would be weaker than what was written.
            add(service,
                service.type == "inet" || service.type == "pass" ? config::Problem::Level::fatal
                                                                 : config::Problem::Level::warning,
                fmt::format("service {} needs {}(8), which this release does not have yet", service.name,
                            service.command),
                instead_of(service));
        } else if (service.type == "inet" && role != Role::smtp_server && role != Role::spawner) {
            add(service, config::Problem::Level::fatal,
                fmt::format("{}(8) cannot listen on an inet port here (service {})", service.command, service.name));
        }
        if (const std::string stray = find_stray_word(service); !stray.empty()) {
            add(service, config::Problem::Level::fatal,
                fmt::format(
                    "service {}: unexpected command-line argument: {}: the value of an -o ends at the first blank: write -o name=a,b or -o {{ name = a, b }}",
                    service.name, base::printable(stray)));
        }
    }
    const auto spawn_problems = find_spawn_problems(settings);
    problems.insert(problems.end(), spawn_problems.begin(), spawn_problems.end());
    return problems;
}

}  // namespace ekiden::daemon
