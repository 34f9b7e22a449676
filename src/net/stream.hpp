// A byte stream with a deadline: TCP, Unix socket or memory; TLS (tls/engine) is a layer over another Stream.
//
// One owner, one core: all calls happen on the io_context it was made on. A deadline covers every operation until it is
// set anew; when it passes, the pending operation ends with ErrorCode::timeout. An orderly close by the peer is
// ErrorCode::closed. Re-arming is cheap (one timer per stream, moved lazily), so set it per step.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/task.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ekiden::net {

using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using UnixSocket = asio::basic_stream_socket<asio::local::stream_protocol, Executor>;

class Stream {
public:
    virtual ~Stream() = default;

    // At least one byte, or an error.
    virtual Task<Result<std::size_t>> read_some(std::span<char> buffer) = 0;
    // All pieces, gathered in as few system calls as possible. The caller keeps the bytes until it is done.
    virtual Task<Result<void>> write(std::span<const std::string_view> pieces) = 0;
    Task<Result<void>> write(std::string_view bytes);
    // As much of `bytes` as can leave at once: how many. For the short answers that most writes are, without a coroutine;
    // what is left over, which may be all, and any error are write()'s.
    virtual std::size_t write_now(std::string_view) { return 0; }

    virtual void set_deadline(SteadyTime at) = 0;       // SteadyTime::max() = none
    void set_time_limit(std::chrono::microseconds from_now) { set_deadline(base::steady_now() + from_now); }

    // Ends pending operations with `cancelled`; later ones fail too. Callable from the stream's core only.
    virtual void close() = 0;
    // Bytes that arrived but were not read would be lost by an upgrade: true when the socket has some (STARTTLS).
    virtual bool has_unread_bytes() = 0;

    virtual Executor executor() = 0;
    virtual int native_handle() = 0;   // -1 for memory streams
};

using StreamPtr = std::unique_ptr<Stream>;

StreamPtr make_stream(TcpSocket socket);
StreamPtr make_stream(UnixSocket socket);

// Two ends of an in-memory stream on one io_context, for tests: bounded buffer, faults can be injected per direction.
class MemoryLink {
public:
    virtual ~MemoryLink() = default;
    // Once `bytes` more bytes have come through, the reading side gets `error` (closed = orderly end); what is written
    // after that fails with it too. Bytes before the break still arrive.
    virtual void break_after(std::size_t bytes, Error error) = 0;
    // Once `bytes` more bytes have come through nothing arrives any more: the reader's deadline decides.
    virtual void stall_after(std::size_t bytes) = 0;
    virtual void limit_reads(std::size_t bytes_per_read) = 0;   // hands out the stream in small pieces
};
struct MemoryPipe {
    StreamPtr a, b;
    std::shared_ptr<MemoryLink> a_to_b, b_to_a;
};
MemoryPipe make_memory_pipe(Executor executor, std::size_t buffer_limit = 65536);

}  // namespace ekiden::net
