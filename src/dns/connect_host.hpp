// A connection to a service that the site names by its host: a policy server, a milter.
//
// Its addresses are tried in turn, eight at most, within one time limit, of which the lookup is a part; each has a
// second at least. A host without an address is `not_found`, a name service that fails is as the resolver says. Stays
// on the caller's core.
#pragma once

#include "dns/resolver.hpp"
#include "net/stream.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace ekiden::dns {

// `host`: a name, or an address as text. `resolver` outlives the call.
Task<Result<net::StreamPtr>> connect_host(Resolver& resolver, std::string host, std::uint16_t port,
                                          std::chrono::seconds limit);

}  // namespace ekiden::dns
