// TLS as a layer over another Stream: OpenSSL does the cryptography, the Stream below carries the bytes, and whoever
// holds a Connection reads and writes plain text as over any Stream.
//
// A handshake runs on the core of its session. Handshakes of one core take turns: between two of their steps everything
// else that is ready on that core runs once, so a flood of them costs live sessions one step of delay, not a thousand.
// The stream's deadline holds for all of it, the waiting included.
//
// Memory: an idle connection keeps half a kilobyte of its own beside what OpenSSL needs; until a client has said the whole
// first record of its handshake, that half kilobyte (or what it has sent) is all. Renegotiation is refused, and
// so is a peer that changes keys again and again. What the peer sends is bounded by the record size of TLS (16 KiB and
// a little), its certificate chain by OpenSSL (100 KiB).
#pragma once

#include "base/log.hpp"
#include "net/stream.hpp"
#include "tls/context.hpp"
#include "tls/summary.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ekiden::tls {

class Connection : public net::Stream {
public:
    // Once, before anything is read or written. On the server side of `context`; afterwards summary() is complete.
    // An error's code is `closed` or `timeout` for the peer's doing, `protocol` for what OpenSSL refused; in that case
    // failures() has OpenSSL's own words, one line for each entry of its queue.
    virtual Task<Result<void>> accept() = 0;

    // The same from the client's side, for what make_client_connection() made; the summary is the maker's to write.
    virtual Task<Result<void>> connect() = 0;

    virtual const Summary& summary() const = 0;
    virtual const std::vector<std::string>& failures() const = 0;

    // Tells the peer that nothing more will come (close_notify) as far as that works without waiting for its answer.
    virtual Task<void> say_goodbye() = 0;

    // Channel bindings, raw bytes: RFC 5929 (hash of our certificate) and RFC 9266; "" where they cannot be had.
    virtual std::string server_end_point() const = 0;
    virtual std::string exporter() const = 0;
};

using ConnectionPtr = std::unique_ptr<Connection>;

// Who watches: lines of the TLS log level go to `log`, which outlives the connection, about the peer by this name.
struct Witness {
    const Logger* log = nullptr;
    std::string client;
    std::uint8_t bits = 0;      // LogBits
};

// `context` is what was in force when the handshake began; the connection keeps it. Like other streams it has one owner
// on one core, and one operation at a time.
ConnectionPtr make_server_connection(net::StreamPtr below, ContextPtr context, Witness witness);
// `ssl` is ready to shake hands; `keeper` owns what it was made from.
ConnectionPtr make_client_connection(net::StreamPtr below, UniqueSsl ssl, std::shared_ptr<const void> keeper,
                                     Witness witness);

}  // namespace ekiden::tls
