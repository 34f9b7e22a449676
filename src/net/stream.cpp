#include "net/stream.hpp"

#include "net/deadline.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include <cerrno>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace ekiden::net {

Task<Result<void>> Stream::write(std::string_view bytes)
{
    const std::array<std::string_view, 1> piece{bytes};
    co_return co_await write(std::span<const std::string_view>(piece));
}

namespace {

// A peer that always has more to say must not keep the other sessions of the core waiting: after this many operations
// that did not suspend, one goes through the loop.
constexpr unsigned operations_in_a_row = 64;
constexpr std::size_t pieces_per_call = 64;

std::unexpected<Error> trouble(int error, const char* what)
{
    if (error == ECONNRESET || error == EPIPE) return fail(ErrorCode::closed, "Connection reset by peer");
    return fail(Error::from_errno(error, what));
}

// Where a write of many pieces stands.
class IovecCursor {
public:
    explicit IovecCursor(std::span<const std::string_view> pieces) : pieces_(pieces) { skip_empty(); }
    bool is_done() const { return pieces_.empty(); }
    // Not in the coroutine: the pieces would be most of its frame.
    ssize_t send(int socket) const
    {
        std::array<iovec, pieces_per_call> out;
        std::size_t count = 0;
        for (std::string_view piece : pieces_) {
            if (count == out.size()) break;
            const std::size_t skip = count == 0 ? offset_ : 0;
            if (piece.size() > skip) out[count++] = {const_cast<char*>(piece.data()) + skip, piece.size() - skip};
        }
        msghdr message{};
        message.msg_iov = out.data();
        message.msg_iovlen = count;
        return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    void advance(std::size_t bytes)
    {
        while (bytes > 0) {
            const std::size_t left = pieces_.front().size() - offset_;
            if (bytes < left) {
                offset_ += bytes;
                return;
            }
            bytes -= left;
            offset_ = 0;
            pieces_ = pieces_.subspan(1);
        }
        skip_empty();
    }

private:
    void skip_empty()
    {
        while (!pieces_.empty() && pieces_.front().size() == offset_) {
            pieces_ = pieces_.subspan(1);
            offset_ = 0;
        }
    }
    std::span<const std::string_view> pieces_;
    std::size_t offset_ = 0;
};

template <class Socket>
class SocketStream : public Stream {
public:
    explicit SocketStream(Socket socket)
        : socket_(std::move(socket)), deadline_(socket_.get_executor(), [this] { on_deadline(); })
    {
    }

    Task<Result<std::size_t>> read_some(std::span<char> buffer) override
    {
        for (;;) {
            if (is_closed_) co_return fail(ErrorCode::cancelled, "stream is closed");
            if (deadline_.has_passed()) co_return fail(ErrorCode::timeout, "Connection timed out");
            if (++in_a_row_ > operations_in_a_row) {
                in_a_row_ = 0;
                co_await asio::post(socket_.get_executor(), use_task);
                continue;
            }
            if (may_hold_more_) {
                const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
                if (got > 0) co_return note_read(static_cast<std::size_t>(got), buffer);
                if (got == 0) co_return fail(ErrorCode::closed, "connection closed");
                if (errno == EINTR) continue;
                if (errno != EAGAIN && errno != EWOULDBLOCK) co_return trouble(errno, "read");
            }

            in_a_row_ = 0;
            // The loop tells of the end of the stream once only: who reads on after it has to ask the kernel.
            may_hold_more_ = true;
            boost::system::error_code error;
            is_timed_out_ = false;
            deadline_.begin_wait();
            const std::size_t read = co_await socket_.async_read_some(asio::buffer(buffer.data(), buffer.size()),
                                                                      asio::redirect_error(use_task, error));
            deadline_.end_wait();
            if (!error) co_return note_read(read, buffer);
            if (error == asio::error::eof) co_return fail(ErrorCode::closed, "connection closed");
            if (error != asio::error::operation_aborted) co_return trouble(error.value(), "read");
            if (is_closed_) co_return fail(ErrorCode::cancelled, "stream is closed");
            if (is_timed_out_ || deadline_.has_passed()) co_return fail(ErrorCode::timeout, "Connection timed out");
        }
    }

    Task<Result<void>> write(std::span<const std::string_view> pieces) override
    {
        IovecCursor cursor(pieces);
        while (!cursor.is_done()) {
            if (is_closed_) co_return fail(ErrorCode::cancelled, "stream is closed");
            if (deadline_.has_passed()) co_return fail(ErrorCode::timeout, "Connection timed out");
            const ssize_t sent = cursor.send(socket_.native_handle());
            if (sent >= 0) {
                cursor.advance(static_cast<std::size_t>(sent));
                continue;
            }
            if (errno == EINTR) continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK) co_return trouble(errno, "write");

            boost::system::error_code error;
            is_timed_out_ = false;
            deadline_.begin_wait();
            co_await socket_.async_wait(Socket::wait_write, asio::redirect_error(use_task, error));
            deadline_.end_wait();
            if (!error) continue;
            if (error != asio::error::operation_aborted) co_return trouble(error.value(), "write");
            if (is_closed_) co_return fail(ErrorCode::cancelled, "stream is closed");
            if (is_timed_out_) co_return fail(ErrorCode::timeout, "Connection timed out");
        }
        co_return Result<void>{};
    }

    std::size_t write_now(std::string_view bytes) override
    {
        if (is_closed_ || deadline_.has_passed()) return 0;
        const ssize_t sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }

    void set_deadline(SteadyTime at) override { deadline_.set(at); }

    void close() override
    {
        if (std::exchange(is_closed_, true)) return;
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

    bool has_unread_bytes() override
    {
        char byte;
        return !is_closed_ && ::recv(socket_.native_handle(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
    }

    Executor executor() override { return socket_.get_executor(); }
    int native_handle() override { return is_closed_ ? -1 : socket_.native_handle(); }

private:
    std::size_t note_read(std::size_t bytes, std::span<char> buffer)
    {
        may_hold_more_ = bytes == buffer.size();
        return bytes;
    }
    void on_deadline()
    {
        is_timed_out_ = true;
        boost::system::error_code ignored;
        socket_.cancel(ignored);
    }

    Socket socket_;
    Deadline deadline_;
    unsigned in_a_row_ = 0;
    // The last read filled its buffer, so what the socket holds may not have been all, or it brought nothing.
    bool may_hold_more_ = false;
    bool is_closed_ = false;
    bool is_timed_out_ = false;
};

}  // namespace

StreamPtr make_stream(TcpSocket socket) { return std::make_unique<SocketStream<TcpSocket>>(std::move(socket)); }
StreamPtr make_stream(UnixSocket socket) { return std::make_unique<SocketStream<UnixSocket>>(std::move(socket)); }

}  // namespace ekiden::net
