#include "net/endpoint.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

namespace ekiden::net {

namespace {

constexpr std::size_t longest_address = 64;

std::optional<Address> from_presentation(std::string_view text)
{
    if (text.empty() || text.size() > longest_address || text.find('\0') != text.npos) return std::nullopt;
    std::array<char, longest_address + 1> buffer{};
    std::memcpy(buffer.data(), text.data(), text.size());
    if (text.find(':') == text.npos) {
        boost::asio::ip::address_v4::bytes_type bytes;
        if (inet_pton(AF_INET, buffer.data(), bytes.data()) != 1) return std::nullopt;
        return boost::asio::ip::address_v4(bytes);
    }
    boost::asio::ip::address_v6::bytes_type bytes;
    if (inet_pton(AF_INET6, buffer.data(), bytes.data()) != 1) return std::nullopt;
    return boost::asio::ip::address_v6(bytes);
}

// One family per address, so that a client on a dual-stack socket is the same client in every list.
Address without_mapping(const Address& address)
{
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
    }
    return address;
}

struct Octets {
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 0;
};

Octets octets_of(const Address& address)
{
    Octets octets;
    if (address.is_v4()) {
        auto bytes = address.to_v4().to_bytes();
        std::memcpy(octets.bytes.data(), bytes.data(), bytes.size());
        octets.bits = 32;
    } else {
        auto bytes = address.to_v6().to_bytes();
        std::memcpy(octets.bytes.data(), bytes.data(), bytes.size());
        octets.bits = 128;
    }
    return octets;
}

Address address_of(const Octets& octets)
{
    if (octets.bits == 32) {
        boost::asio::ip::address_v4::bytes_type bytes;
        std::memcpy(bytes.data(), octets.bytes.data(), bytes.size());
        return boost::asio::ip::address_v4(bytes);
    }
    boost::asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), octets.bytes.data(), bytes.size());
    return boost::asio::ip::address_v6(bytes);
}

// Clears everything past the first `prefix` bits.
Octets masked(Octets octets, unsigned prefix)
{
    for (unsigned i = 0; i < octets.bits / 8; ++i) {
        const unsigned kept = prefix > i * 8 ? std::min(prefix - i * 8, 8U) : 0;
        octets.bytes[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
    }
    return octets;
}

std::optional<std::uint16_t> find_known_port(std::string_view name, std::string_view known_tcp_ports)
{
    // Each item is `name=name=…=number`: every name before the last "=" means that number.
    for (std::string_view item : base::split_any(known_tcp_ports)) {
        const std::size_t last = item.rfind('=');
        if (last == item.npos) continue;
        for (std::string_view alias : base::split(item.substr(0, last), '=')) {
            if (alias == name) return base::parse_number<std::uint16_t>(item.substr(last + 1));
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text)
{
    if (text.starts_with('[')) {
        if (!text.ends_with(']')) return std::nullopt;
        text = text.substr(1, text.size() - 2);
        if (base::starts_with_ignoring_case(text, "IPv6:")) {
            text.remove_prefix(5);
            if (text.find(':') == text.npos) return std::nullopt;
        }
    }
    auto address = from_presentation(text);
    if (!address) return std::nullopt;
    return without_mapping(*address);
}

// Each session prints its addresses several times, and for those of IPv4 that is done with less than a format string.
std::string format_address(const Address& address)
{
    if (!address.is_v4()) return address.to_string();
    std::string text;
    for (const unsigned octet : address.to_v4().to_bytes()) {
        if (!text.empty()) text += '.';
        if (octet >= 100) text += static_cast<char>('0' + octet / 100);
        if (octet >= 10) text += static_cast<char>('0' + octet / 10 % 10);
        text += static_cast<char>('0' + octet % 10);
    }
    return text;
}

std::string format_address_literal(const Address& address)
{
    return (address.is_v6() ? "[IPv6:" : "[") + address.to_string() + "]";
}

bool Network::contains(const Address& address) const
{
    const Octets net = octets_of(without_mapping(base));
    const Octets host = octets_of(without_mapping(address));
    if (net.bits != host.bits || prefix > net.bits) return false;
    return masked(host, prefix).bytes == masked(net, prefix).bytes;
}

Result<Network> parse_network(std::string_view text)
{
    const std::string shown = ekiden::base::printable(text);
    const auto bad = [&](std::string_view what) {
        return fail(ErrorCode::syntax, std::string(what) + " \"" + shown + "\"");
    };
    if (text.empty()) return fail(ErrorCode::syntax, "no address pattern");
    std::string_view host = text;
    std::optional<std::string_view> mask;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == text.npos) return bad("missing ']' character after");
        host = text.substr(1, end - 1);
        const std::string_view rest = text.substr(end + 1);
        if (rest.starts_with('/')) {
            mask = rest.substr(1);
        } else if (!rest.empty()) {
            return bad("garbage after \"]\" in");
        }
    } else if (const std::size_t slash = text.find('/'); slash != text.npos) {
        host = text.substr(0, slash);
        mask = text.substr(slash + 1);
    }
    const auto address = from_presentation(host);
    if (mask) {
        const auto prefix = ekiden::base::parse_number<unsigned>(*mask);
        if (!prefix) return bad("bad mask value in");
        if (!address) return bad("bad network value in");
        const Octets octets = octets_of(*address);
        if (*prefix > octets.bits) return bad("bad mask length in");
        const Octets network = masked(octets, *prefix);
        if (network.bytes != octets.bytes) {
            return fail(ErrorCode::syntax, "non-null host address bits in \"" + shown +
                                               "\", perhaps you should use \"" + address_of(network).to_string() + "/" +
                                               std::to_string(*prefix) + "\" instead");
        }
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8 for us, as clients never keep a mapped address.
        if (address->is_v6() && address->to_v6().is_v4_mapped() && *prefix >= 96) {
            return Network{without_mapping(*address), *prefix - 96};
        }
        return Network{*address, *prefix};
    }
    if (!address) return fail(ErrorCode::syntax, "bad address pattern: \"" + shown + "\"");
    const Address plain = without_mapping(*address);
    return Network{plain, plain.is_v4() ? 32U : 128U};
}

std::string format_endpoint(const Endpoint& endpoint)
{
    const std::string address = endpoint.address.to_string();
    return (endpoint.address.is_v6() ? "[" + address + "]:" : address + ":") + std::to_string(endpoint.port);
}

std::optional<HostPort> split_host_port(std::string_view text)
{
    HostPort split;
    if (text.empty()) return std::nullopt;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == text.npos) return std::nullopt;
        std::string_view host = text.substr(1, end - 1);
        const std::string_view rest = text.substr(end + 1);
        if (!rest.empty() && (rest.front() != ':' || rest.size() == 1)) return std::nullopt;
        // [IPv6:…] is the address literal of mail addresses; the prefix is no part of the host.
        if (base::starts_with_ignoring_case(host, "IPv6:") && host.find(':', 5) != host.npos) host.remove_prefix(5);
        split.host = host;
        split.port = rest.empty() ? std::string_view{} : rest.substr(1);
        split.is_bracketed = true;
        return split;
    }
    const std::size_t colon = text.find(':');
    if (colon == text.npos) {
        split.host = text;
        return split;
    }
    if (text.find(':', colon + 1) != text.npos) {
        // Two colons and no brackets: only a bare IPv6 address makes sense.
        if (!from_presentation(text)) return std::nullopt;
        split.host = text;
        return split;
    }
    if (colon + 1 == text.size()) return std::nullopt;
    split.host = text.substr(0, colon);
    split.port = text.substr(colon + 1);
    return split;
}

std::optional<std::uint16_t> find_port(std::string_view name, std::string_view known_tcp_ports)
{
    if (name.empty() || name.size() > 128) return std::nullopt;
    if (name.find_first_not_of("0123456789") == name.npos) return base::parse_number<std::uint16_t>(name);
    if (auto port = find_known_port(name, known_tcp_ports)) return port;
    servent entry{};
    servent* found = nullptr;
    std::array<char, 2048> buffer;
    if (getservbyname_r(std::string(name).c_str(), "tcp", &entry, buffer.data(), buffer.size(), &found) != 0 ||
        !found) {
        return std::nullopt;
    }
    return ntohs(static_cast<std::uint16_t>(found->s_port));
}

}  // namespace ekiden::net
