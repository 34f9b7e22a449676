// Addresses, networks and endpoints as Postfix writes them. Pure; thread: values.
#pragma once

#include "base/result.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::net {

using Address = boost::asio::ip::address;

// "127.0.0.1", "::1", "[::1]", "[IPv6:::1]", "[127.0.0.1]"; IPv4-mapped IPv6 becomes IPv4. Scope ids are refused.
std::optional<Address> parse_address(std::string_view text);
std::string format_address(const Address& address);            // "127.0.0.1", "::1"
std::string format_address_literal(const Address& address);    // "[127.0.0.1]", "[IPv6:::1]"

struct Network {
    Address base;
    unsigned prefix = 0;
    bool contains(const Address& address) const;
};
// "10.0.0.0/8", "[::1]/128", "192.0.2.1". A non-zero host part is an error, in Postfix's words
// (`non-null host address bits in "127.0.0.1/8", perhaps you should use "127.0.0.0/8" instead`).
Result<Network> parse_network(std::string_view text);

struct Endpoint {
    Address address;
    std::uint16_t port = 0;
};
std::string format_endpoint(const Endpoint& endpoint);   // "127.0.0.1:25", "[::1]:25"

// "host:port", "[host]:port", "host", "[host]", ":port", "port"? split only; nothing is resolved.
struct HostPort {
    std::string host;
    std::string port;            // name or number; empty when absent
    bool is_bracketed = false;   // "[host]": no MX lookup
};
std::optional<HostPort> split_host_port(std::string_view text);

// Port by number, by `known_tcp_ports` ("smtp=25, submission=587", aliases "smtps=submissions=465"), then /etc/services.
std::optional<std::uint16_t> find_port(std::string_view name, std::string_view known_tcp_ports);

}  // namespace ekiden::net
