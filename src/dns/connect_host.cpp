#include "dns/connect_host.hpp"

#include "net/connect.hpp"

#include <algorithm>
#include <vector>

namespace ekiden::dns {

namespace {
constexpr std::size_t most_addresses = 8;
constexpr std::chrono::seconds least_time{1};    // for one address
}  // namespace

Task<Result<net::StreamPtr>> connect_host(Resolver& resolver, std::string host, std::uint16_t port,
                                          std::chrono::seconds limit)
{
    const SteadyTime end = base::steady_now() + limit;
    std::vector<net::Address> addresses;
    if (const auto literal = net::parse_address(host)) {
        addresses.push_back(*literal);
    } else {
        const auto found = co_await find_addresses(resolver, host, {});
        if (!found) co_return std::unexpected(found.error());
        for (const auto& record : found->records) addresses.push_back(record.address);
    }
    if (addresses.size() > most_addresses) addresses.resize(most_addresses);
    Result<net::StreamPtr> last = fail(ErrorCode::not_found, "host not found");
    for (const net::Address& address : addresses) {
        net::ConnectOptions options;
        options.time_limit = std::chrono::ceil<std::chrono::seconds>(
            std::max<SteadyTime::duration>(end - base::steady_now(), least_time));
        last = co_await net::connect_tcp(net::Endpoint{address, port}, options);
        if (last || base::steady_now() >= end) break;
    }
    co_return last;
}

}  // namespace ekiden::dns
