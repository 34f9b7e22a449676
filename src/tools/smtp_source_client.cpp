#include "tools/smtp_source_client.hpp"

#include "base/random.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/uio.h>

namespace ekiden::tools {

namespace {
constexpr std::chrono::seconds step_limit{300};
}

class SourceClient : public EventLoop::Handler {
public:
    SourceClient(SourceRun& run, int serial) : Handler(run.loop_), run_(run), session_(run.campaign_, serial) {}

    void start()
    {
        if (!run_.campaign_.take_message()) return run_.session_ended();
        if (!waits_for_start()) connect();
    }

    void on_ready(std::uint32_t events) override;
    void on_deadline() override;

private:
    enum class Wait { connect, handshake, reply, start, pause, restart };

    void connect();
    void connected();
    void start_tls();
    void shake_hands();
    void connect_failed(int error);
    void disconnect();
    void read_replies();
    void act_on(const ReplyReader::Reply& reply);
    void proceed(SourceSession::Next next);
    void next_message();
    bool waits_for_start();
    void begin();
    EventLoop::Time beginning() const;
    void finish_or_restart();
    bool flush();
    ssize_t send_some();
    void wait_for_room(bool is_wanted);
    void show_sent() const;

    SourceRun& run_;
    SourceSession session_;
    ReplyReader replies_;
    Fd socket_;
    TlsChannel tls_;                  // after socket_, so that it goes first
    EventLoop::Time start_;           // with a rate, when the message was to begin
    EventLoop::Time begun_;           // the connection, or the message on a kept one
    Wait wait_ = Wait::reply;
    std::size_t address_ = 0; // that we connect to, among the run's
    int tries_left_ = 0;
    std::string out_;                 // commands and headers of this step
    std::string_view body_;           // what is left of the content, after out_
    std::size_t out_sent_ = 0;
    bool counts_when_sent_ = false;   // the step ends with the final dot
    bool waits_for_room_ = false;     // EPOLLOUT is on
};

void SourceClient::connect()
{
    address_ = run_.address_;
    const SocketAddress& address = run_.addresses_[address_];
    replies_.clear();
    out_.clear();
    out_sent_ = 0;
    body_ = {};
    counts_when_sent_ = waits_for_room_ = false;
    session_.start();
    tls_.close();
    begun_ = beginning();
    if (tries_left_ == 0) tries_left_ = run_.settings_.connect_tries;

    socket_.reset(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return run_.fail_run(fmt::format("socket: {}", std::strerror(errno)));
    set_window_size(socket_.get(), run_.settings_.window_size);
    if (address.family() != AF_UNIX) {
        // Of content the last bytes must not wait for the acknowledgement of those before. A command follows a reply, so
        // there is nothing that it could wait for.
        const int on = 1;
        if (run_.campaign_.sends_mail) ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        // Closing resets the connection. Otherwise a test of some minutes uses up the local ports with connections in
        // TIME-WAIT. Nothing can be lost: the reply to QUIT has been read.
        const linger reset{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }

    const bool is_started = ::connect(socket_.get(), address.get(), address.size) == 0 || errno == EINPROGRESS;
    if (!is_started && errno == EAGAIN) {  // a local socket whose backlog is full: not refused, only busy
        socket_.reset();
        wait_ = Wait::restart;
        return set_deadline(std::chrono::milliseconds(1));
    }
    if (!is_started) return connect_failed(errno);
    // The greeting says that the connection stands, and an error raises the same event: no need to wait for EPOLLOUT.
    // In wrapper mode the client speaks first.
    wait_ = Wait::connect;
    waits_for_room_ = run_.campaign_.tls == Campaign::Tls::wrapper;
    if (auto watched = loop().watch(socket_.get(), waits_for_room_ ? EPOLLIN | EPOLLOUT : EPOLLIN, *this); !watched)
        return run_.fail_run(watched.error().text());
    set_deadline(step_limit);
}

void SourceClient::connected()
{
    wait_ = Wait::reply;
    tries_left_ = 0;
}

void SourceClient::start_tls()
{
    if (auto opened = tls_.open(run_.tls_client_.get(), socket_.get()); !opened)
        return run_.fail_run(opened.error().text());
    wait_ = Wait::handshake;
    set_deadline(step_limit);
    shake_hands();
}

void SourceClient::shake_hands()
{
    const TlsChannel::Progress progress = tls_.shake_hands();
    if (progress == TlsChannel::Progress::failed)
        return run_.fail_run("TLS: " + tls::take_openssl_reason("lost connection"));
    wait_for_room(progress == TlsChannel::Progress::wants_room);
    if (progress != TlsChannel::Progress::done) return;

    if (run_.settings_.is_verbose) run_.console_.say(tls_.description());
    wait_ = Wait::reply;
    replies_.clear();  // nothing said in clear text counts
    out_.clear();
    out_sent_ = 0;
    proceed(session_.tls_started(out_).next);
    // What came with the last bytes of the handshake raises no event any more.
    if (wait_ == Wait::reply && tls_.has_more() && !loop().is_stopping()) read_replies();
}

void SourceClient::wait_for_room(bool is_wanted)
{
    if (is_wanted != waits_for_room_) loop().change(socket_.get(), is_wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
    waits_for_room_ = is_wanted;
}

void SourceClient::connect_failed(int error)
{
    socket_.reset();
    const std::string text = fmt::format("connect: {}", std::strerror(error));
    if (address_ != run_.address_) {
        tries_left_ = 0; // another session has found that out before
    } else if (run_.messages_sent_ == 0 && run_.address_ + 1 < run_.addresses_.size()) {
        ++run_.address_;
        tries_left_ = 0;
    } else if (--tries_left_ > 0) {
        run_.console_.warning(text);
    } else {
        return run_.fail_run(text);
    }
    wait_ = Wait::restart;
    set_deadline(std::chrono::milliseconds(tries_left_ > 0 ? 10 : 0));
}

void SourceClient::disconnect()
{
    tls_.close();
    socket_.reset();
}

void SourceClient::on_ready(std::uint32_t events)
{
    if (wait_ == Wait::connect) {
        int error = 0;
        socklen_t size = sizeof error;
        if (events & EPOLLERR && ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0)
            return connect_failed(error);
        connected();
        if (run_.campaign_.tls == Campaign::Tls::wrapper) return start_tls();
    }
    if (wait_ == Wait::handshake) return shake_hands();
    if (waits_for_room_ && (events & EPOLLOUT) && !flush()) return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_replies();
}

void SourceClient::on_deadline()
{
    switch (wait_) {
    case Wait::restart: return connect();
    case Wait::start: return begin();
    case Wait::pause: return finish_or_restart();
    case Wait::connect: return connect_failed(ETIMEDOUT);
    case Wait::handshake:
    case Wait::reply: return run_.fail_run(fmt::format("timeout while {}", session_.activity()));
    }
}

void SourceClient::read_replies()
{
    std::array<char, 8192> buffer;
    do {
        const ssize_t count =
            tls_.is_on() ? tls_.read(buffer) : ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) return run_.fail_run(fmt::format("lost connection while {}", session_.activity()));

        replies_.add({buffer.data(), static_cast<std::size_t>(count)});
        while (socket_ && wait_ == Wait::reply && !loop().is_stopping()) {
            auto reply = replies_.next();
            if (!reply) break;
            act_on(*reply);
        }
        if (replies_.is_too_long()) run_.fail_run(fmt::format("reply too long while {}", session_.activity()));
    } while (wait_ == Wait::reply && tls_.has_more() && !loop().is_stopping());
}

void SourceClient::act_on(const ReplyReader::Reply& reply)
{
    if (run_.settings_.is_verbose) run_.console_.say(fmt::format("<<< {} {}", reply.code, reply.text));
    out_.clear();
    out_sent_ = 0;
    const SourceSession::Step step = session_.on_reply(reply.code, out_);
    if (!step.rejected.empty()) {
        const std::string text = fmt::format("{}: {} {}", step.rejected, reply.code, reply.text);
        if (!run_.campaign_.tolerates_rejection) return run_.fail_run(text);
        run_.console_.warning(text);
    }
    if (step.is_delivered) {
        if (run_.settings_.shows_latency) run_.message_delivered(std::chrono::steady_clock::now() - begun_);
        if (!run_.campaign_.sends_mail) run_.message_sent();
    }
    proceed(step.next);
}

void SourceClient::proceed(SourceSession::Next next)
{
    switch (next) {
    case SourceSession::Next::send_body:
        body_ = run_.campaign_.content;
        counts_when_sent_ = true;
        // Before the first byte: a copy that arrives is always known to have been offered.
        if (!run_.flush_ledger()) return;
        [[fallthrough]];
    case SourceSession::Next::read:
        show_sent();
        flush();
        return;
    case SourceSession::Next::start_tls: return start_tls();
    case SourceSession::Next::reconnect: disconnect(); [[fallthrough]];
    case SourceSession::Next::pause: next_message();
    }
}

void SourceClient::next_message()
{
    const auto delay = run_.delay_between_messages();
    if (delay == EventLoop::Duration::zero()) return finish_or_restart();
    wait_ = Wait::pause;
    set_deadline(delay);
}

void SourceClient::finish_or_restart()
{
    if (run_.campaign_.take_message()) {
        if (!waits_for_start()) begin();
        return;
    }
    if (!socket_) {
        clear_deadline();
        return run_.session_ended();
    }
    wait_ = Wait::reply;
    out_.clear();
    out_sent_ = 0;
    proceed(session_.finish(out_).next);
}

// With a rate, every message has its time, and the session that has taken it waits for that.
bool SourceClient::waits_for_start()
{
    if (run_.settings_.rate == 0) return false;
    start_ = run_.next_start();
    if (start_ <= std::chrono::steady_clock::now()) return false;
    wait_ = Wait::start;
    set_deadline(start_);
    return true;
}

// A message that has to wait until a session is free has begun all the same: otherwise a server that stands still for a
// second would make one message slow instead of all that were to be sent meanwhile.
EventLoop::Time SourceClient::beginning() const
{
    return run_.settings_.rate > 0 ? start_ : std::chrono::steady_clock::now();
}

void SourceClient::begin()
{
    if (!socket_) return connect();
    wait_ = Wait::reply;
    begun_ = beginning();
    out_.clear();
    out_sent_ = 0;
    proceed(session_.begin_message(out_).next);
}

// False when the connection is gone.
bool SourceClient::flush()
{
    while (out_sent_ < out_.size() || !body_.empty()) {
        const ssize_t sent = send_some();
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) {
            wait_for_room(true);
            set_deadline(step_limit);
            return true;
        }
        if (sent < 0) {
            run_.fail_run(fmt::format("lost connection while {}", session_.activity()));
            return false;
        }
        const std::size_t of_out = std::min<std::size_t>(static_cast<std::size_t>(sent), out_.size() - out_sent_);
        out_sent_ += of_out;
        body_.remove_prefix(static_cast<std::size_t>(sent) - of_out);
    }
    wait_for_room(false);
    if (std::exchange(counts_when_sent_, false)) run_.message_sent();
    set_deadline(step_limit);
    return true;
}

// As send(2).
ssize_t SourceClient::send_some()
{
    if (tls_.is_on()) {
        // Into one record, where there is room for both. A body that does not fit is not copied again for each of them.
        if (!body_.empty() && out_sent_ < out_.size()) {
            const std::size_t fits = std::min<std::size_t>(body_.size(), SSL3_RT_MAX_PLAIN_LENGTH);
            out_ += body_.substr(0, fits);
            body_.remove_prefix(fits);
        }
        return tls_.write(out_sent_ < out_.size() ? std::string_view(out_).substr(out_sent_) : body_);
    }
    iovec parts[2];
    std::size_t used = 0;
    if (out_sent_ < out_.size()) parts[used++] = {out_.data() + out_sent_, out_.size() - out_sent_};
    if (!body_.empty()) parts[used++] = {const_cast<char*>(body_.data()), body_.size()};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = used;
    return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
}

void SourceClient::show_sent() const
{
    if (!run_.settings_.is_verbose) return;
    if (counts_when_sent_) return run_.console_.say(".");
    std::string_view line = out_;
    if (line.ends_with("\r\n")) line.remove_suffix(2);
    run_.console_.say(line);
}

SourceRun::SourceRun(Campaign& campaign, const SourceSettings& settings, std::vector<SocketAddress> addresses,
                     Console& console)
    : campaign_(campaign), settings_(settings), addresses_(std::move(addresses)), console_(console)
{
}

SourceRun::~SourceRun() = default;

int SourceRun::send_all(int sessions)
{
    sessions_left_ = std::min(sessions, campaign_.messages_left);
    loop_.after_round([this] {
        flush_ledger();
        console_.flush();
    });
    for (int serial = 0; serial < sessions_left_; ++serial)
        clients_.push_back(std::make_unique<SourceClient>(*this, serial));
    begun_ = std::chrono::steady_clock::now();
    if (settings_.shows_latency) latencies_.reserve(static_cast<std::size_t>(campaign_.messages_left));
    for (auto& client : clients_)
        if (!loop_.is_stopping()) client->start();
    const int status = loop_.run();
    if (!flush_ledger()) return 1;
    if (settings_.shows_latency && status == 0)
        console_.count(latencies_.report(std::chrono::steady_clock::now() - begun_,
                                         campaign_.sends_mail ? "messages" : "sessions") + "\n");
    return status;
}

void SourceRun::fail_run(std::string_view text)
{
    if (loop_.is_stopping()) return;
    loop_.stop(console_.fatal(text));
}

bool SourceRun::flush_ledger()
{
    if (!campaign_.ledger) return true;
    auto written = campaign_.ledger->flush();
    if (!written) fail_run(written.error().text());
    return written.has_value();
}

void SourceRun::message_sent()
{
    ++messages_sent_;
    if (settings_.shows_counter) console_.count(fmt::format("{}\r", messages_sent_));
}

void SourceRun::message_delivered(EventLoop::Duration taken) { latencies_.add(taken); }

Result<void> SourceRun::prepare_tls()
{
    EKIDEN_TRY_VALUE(client, make_tls_client());
    tls_client_ = std::move(client);
    return {};
}

void SourceRun::session_ended()
{
    if (--sessions_left_ == 0) loop_.stop(0);
}

EventLoop::Time SourceRun::next_start()
{
    // From the beginning of the run each time: an interval added again and again would add up its rounding.
    return begun_ + std::chrono::nanoseconds(starts_++ * 1'000'000'000 / settings_.rate);
}

EventLoop::Duration SourceRun::delay_between_messages() const
{
    if (settings_.random_delay.count() == 0) return settings_.fixed_delay;
    const auto bound = static_cast<std::uint64_t>(settings_.random_delay.count()) + 1;
    return std::chrono::seconds(base::random_below(bound));
}

}  // namespace ekiden::tools
