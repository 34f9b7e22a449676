#include "net/listener.hpp"

#include "net/deadline.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>

#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ekiden::net {

namespace {

// Out of descriptors or memory: trying again at once would spin, and existing sessions need the moment to end.
constexpr std::chrono::milliseconds pause_when_exhausted{100};
// Connections taken before other work of the core gets its turn.
constexpr int accepts_per_turn = 16;
constexpr std::chrono::minutes trouble_is_told_every{1};

Result<void> set_flag(int fd, int level, int option, const char* what)
{
    const int on = 1;
    if (setsockopt(fd, level, option, &on, sizeof on) != 0) return fail(Error::from_errno("setsockopt", what));
    return {};
}

bool is_exhausted(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

template <class Protocol>
struct AcceptLoop : std::enable_shared_from_this<AcceptLoop<Protocol>> {
    using Socket = asio::basic_stream_socket<Protocol, Executor>;
    using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;
    using Hand = std::function<void(Socket, typename Protocol::endpoint)>;

    AcceptLoop(Core& core, Protocol protocol, Fd socket, Hand on_socket)
        : acceptor(core.executor()), timer(core.executor()), hand_over(std::move(on_socket))
    {
        boost::system::error_code error;
        acceptor.assign(protocol, socket.get(), error);
        if (!error) socket.release();
        acceptor.non_blocking(true, error);
    }

    void wait()
    {
        if (is_stopped || is_paused || is_waiting) return;
        is_waiting = true;
        acceptor.async_wait(Acceptor::wait_read,
                            [self = this->shared_from_this()](const boost::system::error_code& error) {
                                self->is_waiting = false;
                                if (!error) self->accept_some();
                            });
    }

    void accept_some()
    {
        for (int i = 0; i < accepts_per_turn && !is_stopped && !is_paused; ++i) {
            typename Protocol::endpoint peer;
            auto length = static_cast<socklen_t>(peer.capacity());
            const int fd = ::accept4(acceptor.native_handle(), peer.data(), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                if (is_exhausted(errno)) return rest(errno);
                if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) break;
                continue;   // the client left before we came to it
            }
            peer.resize(length);
            Socket socket(acceptor.get_executor());
            boost::system::error_code error;
            socket.assign(acceptor_protocol(peer), fd, error);
            if (error) {
                ::close(fd);
                continue;
            }
            hand_over(std::move(socket), peer);
        }
        wait();
    }

    void rest(int error)
    {
        if (on_trouble && base::steady_now() >= quiet_until) {
            quiet_until = base::steady_now() + trouble_is_told_every;
            on_trouble(error);
        }
        timer.expires_after(pause_when_exhausted);
        timer.async_wait([self = this->shared_from_this()](const boost::system::error_code& failure) {
            if (!failure) self->wait();
        });
    }

    void stop()
    {
        if (std::exchange(is_stopped, true)) return;
        boost::system::error_code ignored;
        acceptor.close(ignored);
        timer.cancel();
    }

    static Protocol acceptor_protocol(const typename Protocol::endpoint& peer) { return peer.protocol(); }

    Acceptor acceptor;
    Timer timer;
    Hand hand_over;
    std::function<void(int)> on_trouble;
    SteadyTime quiet_until{};
    bool is_stopped = false;
    bool is_paused = false;
    bool is_waiting = false;
};

}  // namespace

Result<Fd> listen_tcp(const Endpoint& endpoint, int backlog, Share share)
{
    const asio::ip::tcp::endpoint where(endpoint.address, endpoint.port);
    Fd fd(::socket(where.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(Error::from_errno("socket"));
    EKIDEN_TRY(set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR"));
    if (share == Share::further) EKIDEN_TRY(set_flag(fd.get(), SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT"));
    if (endpoint.address.is_v6()) EKIDEN_TRY(set_flag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY"));
    if (::bind(fd.get(), where.data(), static_cast<socklen_t>(where.size())) != 0) {
        const int error = errno;   // printing an address clears it
        return fail(
            Error::from_errno(error, "bind", endpoint.address.to_string() + " port " + std::to_string(endpoint.port)));
    }
    if (::listen(fd.get(), backlog) != 0) {
        const int error = errno;
        return fail(Error::from_errno(error, "listen", format_endpoint(endpoint)));
    }
    // Only now: the system tells whether the place is free when an unshared socket is bound and when it listens.
    if (share == Share::first) EKIDEN_TRY(set_flag(fd.get(), SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT"));
    return fd;
}

Result<Fd> listen_unix(const std::string& path, int backlog, mode_t mode)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(Error::from_errno(ENAMETOOLONG, "bind", path));
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(Error::from_errno("socket"));
    // A socket left behind by an earlier run; anything else at that place is not ours to remove.
    struct stat found{};
    if (::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(path.c_str());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail(Error::from_errno("bind", path));
    }
    if (::chmod(path.c_str(), mode) != 0) return fail(Error::from_errno("chmod", path));
    if (::listen(fd.get(), backlog) != 0) return fail(Error::from_errno("listen", path));
    return fd;
}

struct Listener::State : AcceptLoop<asio::ip::tcp> {
    using AcceptLoop::AcceptLoop;
};

Listener::Listener(Core& core, Fd socket, OnTcp on_connection, OnTrouble on_trouble)
{
    asio::ip::tcp::endpoint local;
    auto length = static_cast<socklen_t>(local.capacity());
    if (::getsockname(socket.get(), local.data(), &length) == 0) local.resize(length);
    // Every line of a client is answered: its acknowledgement can go with the answer from the first one on. And replies are
    // written whole, so waiting for more to send only costs a round trip. Connections inherit both.
    const int off = 0, on = 1;
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Who listens on one address is only ever reached there; who listens on all of them has to ask.
    const bool is_known = local.port() != 0 && !local.address().is_unspecified();
    state_ = std::make_shared<State>(core, local.protocol(), std::move(socket),
                                     [on_connection = std::move(on_connection), local,
                                      is_known](TcpSocket accepted, asio::ip::tcp::endpoint peer) {
                                         boost::system::error_code error;
                                         const auto own = is_known ? local : accepted.local_endpoint(error);
                                         if (error) return;   // reset already
                                         on_connection(std::move(accepted), Endpoint{peer.address(), peer.port()},
                                                       Endpoint{own.address(), own.port()});
                                     });
    state_->on_trouble = std::move(on_trouble);
    core.post([state = state_] { state->wait(); });
}

Listener::~Listener() { stop(); }
void Listener::pause() { state_->is_paused = true; }
void Listener::resume()
{
    state_->is_paused = false;
    state_->wait();
}
void Listener::stop() { state_->stop(); }

struct UnixListener::State : AcceptLoop<asio::local::stream_protocol> {
    using AcceptLoop::AcceptLoop;
};

UnixListener::UnixListener(Core& core, Fd socket, OnUnix on_connection)
    : state_(std::make_shared<State>(core, asio::local::stream_protocol(), std::move(socket),
                                     [on_connection = std::move(on_connection)](UnixSocket accepted, const auto&) {
                                         on_connection(std::move(accepted));
                                     }))
{
    core.post([state = state_] { state->wait(); });
}

UnixListener::~UnixListener() { stop(); }
void UnixListener::stop() { state_->stop(); }

}  // namespace ekiden::net
