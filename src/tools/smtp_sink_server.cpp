#include "tools/smtp_sink_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <syslog.h>

namespace ekiden::tools {

namespace {

constexpr int accepts_per_round = 64;

Result<Fd> open_listener(const SocketAddress& address, int backlog, int window_size)
{
    Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail(Error::from_errno("socket"));
    const int on = 1;
    if (address.family() == AF_UNIX) {
        // A socket left behind by an earlier run is in the way; anything else that has this name is not ours to remove.
        const char* path = reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
        Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(probe.get(), address.get(), address.size) < 0 && errno == ECONNREFUSED) ::unlink(path);
    } else {
        ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        // Inherited by accepted connections: replies to a pipelined group must not wait for an ACK.
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (address.family() == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    set_window_size(socket.get(), window_size);
    if (::bind(socket.get(), address.get(), address.size) < 0) {
        const int error = errno;
        if (address.family() == AF_UNIX)
            return fail(
                Error::from_errno(error, "bind", reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path));
        const auto port = ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
        return fail(Error::from_errno(error, fmt::format("bind {} port {}", client_address(address), port)));
    }
    if (::listen(socket.get(), backlog) < 0) return fail(Error::from_errno("listen"));
    return socket;
}

}  // namespace

Result<std::vector<Fd>> open_listeners(const std::vector<SocketAddress>& addresses, int backlog, int window_size)
{
    std::vector<Fd> listeners;
    std::optional<Error> trouble;
    for (const SocketAddress& address : addresses) {
        auto listener = open_listener(address, backlog, window_size);
        if (listener)
            listeners.push_back(std::move(*listener));
        else if (!trouble)
            trouble = std::move(listener).error();
    }
    // A host without IPv6 still has its IPv4 address; but an address in use must not go unnoticed behind another.
    if (trouble && (listeners.empty() || (trouble->os_error() != EAFNOSUPPORT && trouble->os_error() != EADDRNOTAVAIL)))
        return std::unexpected(std::move(*trouble));
    return listeners;
}

class SinkConnection : public EventLoop::Handler, private SinkSession::Observer {
public:
    SinkConnection(SinkServer& server, Fd socket, std::string client)
        : Handler(server.loop_), server_(server), socket_(std::move(socket)),
          session_(server.settings_, std::move(client))
    {
        session_.observe(*this);
    }
    ~SinkConnection() override
    {
        if (is_gone_) *is_gone_ = true;
    }

    void start(SinkServer::Connections::iterator place)
    {
        place_ = place;
        if (auto watched = loop().watch(socket_.get(), EPOLLIN, *this); !watched) return end();
        if (server_.server_settings_.begins_with_tls) return start_tls();
        std::string out;
        apply(session_.start(out), std::move(out));
    }

    void on_ready(std::uint32_t events) override;
    void on_deadline() override;

private:
    void on_command(std::string_view line, bool is_logged) override;
    void on_trouble(std::string_view text) override { server_.console_.warning(text); }

    // These may destroy this.
    void handle(std::uint32_t events);
    bool receive();  // false: there was nothing to read
    void receive_rest();
    void start_tls();
    void shake_hands();
    void apply(SinkSession::Next next, std::string&& out);
    bool send(std::string&& out);
    void carry_out();
    void watch_for(std::uint32_t events);
    void end();

    SinkServer& server_;
    Fd socket_;
    SinkSession session_;
    SinkServer::Connections::iterator place_;
    SinkSession::Next next_ = SinkSession::Next::read;  // what to do once everything is sent
    std::string unsent_;
    TlsChannel tls_;             // after socket_, so that it goes first
    bool is_shaking_hands_ = false;
    bool is_paused_ = false;
    bool* is_gone_ = nullptr;    // told when this is destroyed
    std::uint32_t events_ = EPOLLIN;
};

class SinkListener : public EventLoop::Handler {
public:
    SinkListener(SinkServer& server, Fd socket) : Handler(server.loop_), server_(server), socket_(std::move(socket)) {}

    Result<void> start() { return loop().watch(socket_.get(), EPOLLIN, *this); }

    void on_ready(std::uint32_t) override
    {
        for (int i = 0; i < accepts_per_round; ++i) {
            if (server_.is_full()) return pause();
            SocketAddress client;
            client.size = sizeof client.storage;
            Fd socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&client.storage), &client.size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!socket) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return rest();
                return;
            }
            if (client.size < sizeof(sa_family_t)) client.storage.ss_family = AF_UNIX;
            server_.accepted(std::move(socket), client);
            if (loop().is_stopping()) return;
        }
    }

    void on_deadline() override { resume(); }

    void resume()
    {
        if (!is_paused_) return;
        is_paused_ = false;
        loop().change(socket_.get(), EPOLLIN, *this);
    }

private:
    void pause()
    {
        is_paused_ = true;
        loop().change(socket_.get(), 0, *this);
    }
    // Out of descriptors or memory: the connection stays in the kernel's queue, trying at once would only spin.
    void rest()
    {
        server_.console_.warning(fmt::format("accept connection: {}", std::strerror(errno)));
        pause();
        set_deadline(std::chrono::seconds(1));
    }

    SinkServer& server_;
    Fd socket_;
    bool is_paused_ = false;
};

void SinkConnection::on_ready(std::uint32_t events)
{
    bool is_gone = false;
    is_gone_ = &is_gone;
    handle(events);
    if (is_gone) return;
    is_gone_ = nullptr;
    receive_rest();
}

// What has left the socket and waits in OpenSSL raises no event any more.
void SinkConnection::receive_rest()
{
    bool is_gone = false;
    is_gone_ = &is_gone;
    while (tls_.has_more() && !is_shaking_hands_ && !is_paused_ && unsent_.empty() && !loop().is_stopping())
        if (!receive() || is_gone) break;
    if (!is_gone) is_gone_ = nullptr;
}

void SinkConnection::handle(std::uint32_t events)
{
    if (is_shaking_hands_) return shake_hands();
    if (!unsent_.empty()) {
        if (events & (EPOLLHUP | EPOLLERR)) return end();
        if (!(events & EPOLLOUT)) return;
        if (!send({})) return end();
        if (unsent_.empty()) carry_out();
        return;
    }
    if (is_paused_) {
        // Only hang-ups are reported now, and they would be reported without end.
        return end();
    }
    receive();
}

void SinkConnection::on_deadline()
{
    if (!is_paused_) {
        server_.console_.warning(unsent_.empty() ? "read timeout" : "write timeout");
        return end();
    }
    is_paused_ = false;
    watch_for(EPOLLIN);
    std::string out;
    const auto next = session_.resume(out);
    bool is_gone = false;
    is_gone_ = &is_gone;
    apply(next, std::move(out));
    if (!is_gone) receive_rest();
}

void SinkConnection::start_tls()
{
    if (auto opened = tls_.open(server_.server_settings_.tls.get(), socket_.get(), TlsChannel::Side::server); !opened) {
        server_.console_.warning(opened.error().text());
        return end();
    }
    is_shaking_hands_ = true;
    set_deadline(server_.server_settings_.step_limit);
    shake_hands();
}

void SinkConnection::shake_hands()
{
    const TlsChannel::Progress progress = tls_.shake_hands();
    if (progress == TlsChannel::Progress::failed) {
        server_.console_.warning("TLS: " + tls::take_openssl_reason("lost connection"));
        return end();
    }
    watch_for(progress == TlsChannel::Progress::wants_room ? EPOLLOUT : EPOLLIN);
    if (progress != TlsChannel::Progress::done) return;

    is_shaking_hands_ = false;
    if (server_.server_settings_.is_verbose) server_.console_.say(tls_.description());
    session_.tls_started();
    if (!server_.server_settings_.begins_with_tls) return set_deadline(server_.server_settings_.step_limit);
    std::string out;
    apply(session_.start(out), std::move(out));
}

bool SinkConnection::receive()
{
    static std::array<char, 64 * 1024> buffer;  // one for all: nothing is left in it between two calls
    const ssize_t count = tls_.is_on() ? tls_.read(buffer) : ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) {
        end();
        return false;
    }
    std::string out;
    const auto next = session_.receive({buffer.data(), static_cast<std::size_t>(count)}, out);
    apply(next, std::move(out));
    return true;
}

void SinkConnection::apply(SinkSession::Next next, std::string&& out)
{
    next_ = next;
    if (next == SinkSession::Next::fail) {
        server_.loop_.stop(server_.console_.fatal(session_.trouble()));
        return;
    }
    if (!out.empty() && !send(std::move(out))) return end();
    if (const int messages = session_.take_messages(); messages > 0) {
        server_.count(messages, 0, 0);
        if (loop().is_stopping()) return;
    }
    if (unsent_.empty()) carry_out();
}

bool SinkConnection::send(std::string&& out)
{
    std::string_view bytes = unsent_.empty() ? out : unsent_;
    while (!bytes.empty()) {
        const ssize_t sent =
            tls_.is_on() ? tls_.write(bytes) : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return false;
        if (sent < 0) break;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    // Nothing is read before this is sent: a client that never reads its replies holds no memory here.
    unsent_ = std::string(bytes);
    watch_for(unsent_.empty() ? EPOLLIN : EPOLLOUT);
    set_deadline(server_.server_settings_.step_limit);
    return true;
}

void SinkConnection::carry_out()
{
    switch (next_) {
    case SinkSession::Next::close: tls_.say_goodbye(); return end();
    case SinkSession::Next::start_tls: next_ = SinkSession::Next::read; return start_tls();
    case SinkSession::Next::pause:
        is_paused_ = true;
        watch_for(0);
        clear_deadline();
        return set_deadline(std::chrono::seconds(session_.pause_seconds()));
    case SinkSession::Next::read:
    case SinkSession::Next::fail: return set_deadline(server_.server_settings_.step_limit);
    }
}

void SinkConnection::watch_for(std::uint32_t events)
{
    if (std::exchange(events_, events) != events) loop().change(socket_.get(), events, *this);
}

void SinkConnection::on_command(std::string_view line, bool is_logged)
{
    if (is_logged) ::syslog(LOG_INFO, "%.*s", static_cast<int>(line.size()), line.data());
    if (server_.server_settings_.is_verbose) server_.console_.say(line);
}

void SinkConnection::end()
{
    if (server_.server_settings_.is_verbose) server_.console_.say("disconnect");
    const int quits = session_.take_quits();
    SinkServer& server = server_;
    const auto place = place_;
    server.ended(place);  // destroys this
    server.count(0, quits, 1);
}

SinkServer::SinkServer(const SinkSettings& settings, const SinkServerSettings& server_settings,
                       std::vector<Fd> listeners, Console& console)
    : settings_(settings), server_settings_(server_settings), console_(console)
{
    for (Fd& listener : listeners) listeners_.push_back(std::make_unique<SinkListener>(*this, std::move(listener)));
    needs_client_address_ =
        server_settings_.is_verbose || settings_.dump || settings_.treatment(SinkVerb::connect).is_logged;
}

SinkServer::~SinkServer() = default;

int SinkServer::run()
{
    for (auto& listener : listeners_)
        if (auto started = listener->start(); !started) return console_.fatal(started.error().text());
    loop_.after_round([this] { console_.flush(); });
    return loop_.run();
}

void SinkServer::accepted(Fd socket, const SocketAddress& client)
{
    std::string address = needs_client_address_ ? client_address(client) : std::string();
    if (needs_client_address_) {
        const std::string line = fmt::format("connect ({} {})", family_name(client.family()), address);
        if (settings_.treatment(SinkVerb::connect).is_logged) ::syslog(LOG_INFO, "%s", line.c_str());
        if (server_settings_.is_verbose) console_.say(line);
    }
    connections_.push_back(std::make_unique<SinkConnection>(*this, std::move(socket), std::move(address)));
    connections_.back()->start(std::prev(connections_.end()));
}

void SinkServer::ended(Connections::iterator place)
{
    const bool was_full = is_full();
    connections_.erase(place);
    if (was_full)
        for (auto& listener : listeners_) listener->resume();
}

// Postfix prints once for each message and once for each session that ends, and this is what scripts count.
void SinkServer::count(int messages, int quits, int sessions)
{
    const auto show = [&] {
        if (server_settings_.shows_counters)
            console_.count(fmt::format("sess={} quit={} mesg={}\r", sessions_, quits_, messages_));
    };
    for (int i = 0; i < messages; ++i) {
        ++messages_;
        show();
    }
    quits_ += quits;
    if (sessions > 0) {
        sessions_ += sessions;
        show();
    }
    if ((server_settings_.quit_after_sessions > 0 && sessions_ >= server_settings_.quit_after_sessions) ||
        (server_settings_.quit_after_messages > 0 && messages_ >= server_settings_.quit_after_messages))
        loop_.stop(0);
}

}  // namespace ekiden::tools
