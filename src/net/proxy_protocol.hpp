// The header with which a proxy says on whose behalf it connects: PROXY protocol, versions 1 (a line) and 2 (binary),
// as in HAProxy's proxy-protocol.txt. It comes before everything else on the connection, before TLS too.
//
// Exactly the header is read and nothing behind it, because what follows may be a TLS handshake. Bounds: 107 bytes for
// version 1, as the specification says, 4096 for version 2. The type-length-value fields behind the addresses are
// skipped. A header that does not name a TCP client (UNKNOWN, UDP, Unix sockets) is an error and never "the proxy
// itself": that would give the client the proxy's rights. Only LOCAL, which the proxy's own health checks send, keeps
// the connection's addresses. Pure but for read_proxy_header(); thread: the stream's.
#pragma once

#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/stream.hpp"

#include <cstddef>
#include <string_view>

namespace ekiden::net {

struct ProxyHeader {
    bool is_local = false;      // the proxy speaks for itself; the endpoints below are empty
    Endpoint client, server;
};

inline constexpr std::size_t longest_proxy_line = 107;
inline constexpr std::size_t longest_proxy_header = 4096;

// How many bytes of a header that begins like this are certainly still to come; 0: it is complete.
// ErrorCode::protocol where it is no header. The text of this and the other errors is what Postfix logs behind
// "haproxy read: ".
Result<std::size_t> proxy_bytes_wanted(std::string_view so_far);
// A complete header, without anything behind it.
Result<ProxyHeader> parse_proxy_header(std::string_view header);

// ErrorCode::timeout with the text "timeout error" when the stream's deadline passes, ErrorCode::closed with "EOF".
Task<Result<ProxyHeader>> read_proxy_header(Stream& stream);

}  // namespace ekiden::net
