#include "tools/smtp_source_setup.hpp"

#include "base/text.hpp"
#include "net/endpoint.hpp"

#include <fmt/format.h>

#include <cstring>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/un.h>

namespace ekiden::tools {

namespace {

// The counter goes where the terminal is; nobody is served by a load test that dies because its reader went away.
void write_quietly(int fd, std::string_view text) { (void)base::write_all(fd, text).has_value(); }

Result<std::vector<SocketAddress>> unix_endpoint(std::string_view path)
{
    SocketAddress address;
    auto* unix_address = reinterpret_cast<sockaddr_un*>(&address.storage);
    if (path.empty() || path.size() >= sizeof unix_address->sun_path)
        return fail(ErrorCode::syntax, fmt::format("unix-domain name too long: {}", path));
    unix_address->sun_family = AF_UNIX;
    path.copy(unix_address->sun_path, path.size());
    address.size = sizeof(sockaddr_un);
    return std::vector{address};
}

}  // namespace

void Console::say(std::string_view text) const
{
    write_quietly(STDERR_FILENO, fmt::format("{}: {}\n", program_, base::printable(text)));
}

void Console::warning(std::string_view text) const { say(fmt::format("warning: {}", text)); }
void Console::error(std::string_view text) const { say(fmt::format("error: {}", text)); }

int Console::fatal(std::string_view text)
{
    flush();
    say(fmt::format("fatal: {}", text));
    return 1;
}

void Console::flush()
{
    if (pending_.empty()) return;
    write_quietly(STDOUT_FILENO, pending_);
    pending_.clear();
}

Result<int> parse_count(std::string_view value, int least, std::string_view what)
{
    const auto number = base::parse_number<int>(value);
    if (!number || *number < least) return fail(ErrorCode::syntax, fmt::format("bad {}: {}", what, value));
    return *number;
}

Result<std::vector<SocketAddress>> resolve_endpoint(std::string_view endpoint, int family, Purpose purpose)
{
    if (endpoint.starts_with("unix:")) return unix_endpoint(endpoint.substr(5));
    const std::string_view name = endpoint.starts_with("inet:") ? endpoint.substr(5) : endpoint;

    auto split = net::split_host_port(name);
    if (!split) return fail(ErrorCode::syntax, fmt::format("bad host or port: {}", name));
    if (purpose == Purpose::listen && split->port.empty() && !split->is_bracketed) std::swap(split->host, split->port);
    if (split->port.empty()) split->port = "smtp";
    if (base::is_digit(split->port.front()) && !base::parse_number<std::uint16_t>(split->port))
        return fail(ErrorCode::syntax, fmt::format("{}: {}", name, ::gai_strerror(EAI_SERVICE)));

    addrinfo hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = purpose == Purpose::listen ? AI_PASSIVE : 0;
    addrinfo* found = nullptr;
    const int status =
        ::getaddrinfo(split->host.empty() ? nullptr : split->host.c_str(), split->port.c_str(), &hints, &found);
    if (status != 0) return fail(ErrorCode::unavailable, fmt::format("{}: {}", name, ::gai_strerror(status)));

    std::vector<SocketAddress> addresses;
    for (const addrinfo* entry = found; entry && addresses.size() < 64; entry = entry->ai_next) {
        if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
        SocketAddress address;
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
        addresses.push_back(address);
    }
    ::freeaddrinfo(found);
    if (addresses.empty()) return fail(ErrorCode::unavailable, fmt::format("{}: no usable address", name));
    return addresses;
}

std::string client_address(const SocketAddress& address)
{
    char text[INET6_ADDRSTRLEN] = "";
    switch (address.family()) {
    case AF_INET: {
        const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
        return ::inet_ntop(AF_INET, &ipv4->sin_addr, text, sizeof text);
    }
    case AF_INET6: {
        const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
        return fmt::format("ipv6:{}", ::inet_ntop(AF_INET6, &ipv6->sin6_addr, text, sizeof text));
    }
    default: return "unix";
    }
}

std::string_view family_name(int family)
{
    return family == AF_INET ? "AF_INET" : family == AF_INET6 ? "AF_INET6" : "AF_UNIX";
}

void set_window_size(int fd, int window_size)
{
    if (window_size <= 0) return;
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &window_size, sizeof window_size);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window_size, sizeof window_size);
}

void raise_descriptor_limit()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace ekiden::tools
