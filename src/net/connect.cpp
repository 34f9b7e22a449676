#include "net/connect.hpp"

#include "net/deadline.hpp"

#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace ekiden::net {

namespace {

constexpr std::chrono::microseconds shortest_pause{1000}, longest_pause{50'000};

std::unexpected<Error> refusal(int error)
{
    const ErrorCode code = Error::from_errno(error, "").code();
    char buffer[128];
    return fail(code, strerror_r(error, buffer, sizeof buffer));
}

// Connects within the limit; the socket stays usable on success.
template <class Socket, class Where>
Task<Result<void>> connect_within(Socket& socket, Where to, std::chrono::seconds time_limit)
{
    bool is_late = false;
    Deadline deadline(socket.get_executor(), [&socket, &is_late] {
        is_late = true;
        boost::system::error_code ignored;
        socket.cancel(ignored);
    });
    // 0 leaves it to the operating system, as for all of Postfix's time limits on connections.
    if (time_limit.count() > 0) deadline.set(base::steady_now() + time_limit);
    boost::system::error_code error;
    deadline.begin_wait();
    co_await socket.async_connect(to, asio::redirect_error(use_task, error));
    deadline.end_wait();
    if (is_late) co_return refusal(ETIMEDOUT);
    if (error) co_return refusal(error.value());
    co_return Result<void>{};
}

}  // namespace

Task<Result<StreamPtr>> connect_tcp(Endpoint to, ConnectOptions options)
{
    const asio::ip::tcp::endpoint remote(to.address, to.port);
    TcpSocket socket(co_await asio::this_coro::executor);
    boost::system::error_code error;
    socket.open(remote.protocol(), error);
    if (error) co_return refusal(error.value());
    // Commands are written whole, so waiting for more to send only costs a round trip.
    socket.set_option(asio::ip::tcp::no_delay(true), error);
    if (options.bind_address && options.bind_address->is_v4() == to.address.is_v4()) {
        socket.bind(asio::ip::tcp::endpoint(*options.bind_address, 0), error);
        if (error && options.is_bind_required) co_return refusal(error.value());
    }
    EKIDEN_CO_TRY(co_await connect_within(socket, remote, options.time_limit));
    co_return make_stream(std::move(socket));
}

Task<Result<StreamPtr>> connect_unix(std::string path, std::chrono::seconds time_limit)
{
    sockaddr_un to{};
    if (path.size() >= sizeof to.sun_path) co_return refusal(ENAMETOOLONG);
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
    UnixSocket socket(co_await asio::this_coro::executor);
    boost::system::error_code error;
    socket.open(asio::local::stream_protocol(), error);
    if (!error) socket.non_blocking(true, error);
    if (error) co_return refusal(error.value());
    // A Unix socket connects at once or not at all. Where too many wait to be accepted there is nothing to wait on:
    // poll() calls such a socket ready, and it is not connected.
    const SteadyTime until = base::steady_now() + time_limit;
    for (auto pause = shortest_pause;
         ::connect(socket.native_handle(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0;
         pause = std::min(pause * 2, longest_pause)) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) co_return refusal(errno);
        if (time_limit.count() > 0 && base::steady_now() + pause > until) co_return refusal(ETIMEDOUT);
        co_await sleep_for(pause);
    }
    co_return make_stream(std::move(socket));
}

}  // namespace ekiden::net
