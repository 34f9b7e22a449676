#include "base/log_relay.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace ekiden::base {

namespace {

constexpr int levels = static_cast<int>(LogLevel::panic) + 1;

class RelaySink : public LogSink {
public:
    RelaySink(Fd socket, std::function<std::unique_ptr<LogSink>()> instead)
        : socket_(std::move(socket)), make_instead_(std::move(instead))
    {
    }

    void write(LogLevel level, std::string_view tag, std::string_view label, std::string_view text) override
    {
        std::lock_guard lock(mutex_);
        if (socket_ && send(level, tag, text)) return;
        if (socket_) {
            socket_.reset();
            instead_ = make_instead_();
        }
        if (instead_) instead_->write(level, tag, label, text);
    }
    void flush() override
    {
        std::lock_guard lock(mutex_);
        if (instead_) instead_->flush();
    }

private:
    bool send(LogLevel level, std::string_view tag, std::string_view text) const
    {
        const std::string datagram = format_log_datagram(level, tag, text);
        for (;;) {
            if (::send(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0) return true;
            if (errno != EINTR) return false;
        }
    }

    std::mutex mutex_;
    Fd socket_;
    std::function<std::unique_ptr<LogSink>()> make_instead_;
    std::unique_ptr<LogSink> instead_;
};

}  // namespace

std::string format_log_datagram(LogLevel level, std::string_view tag, std::string_view text)
{
    std::string datagram(1, static_cast<char>('0' + static_cast<int>(level)));
    datagram.append(tag.substr(0, max_log_tag));
    datagram += '\0';
    datagram.append(text.substr(0, max_log_datagram - datagram.size()));
    return datagram;
}

std::optional<RelayedLine> parse_log_datagram(std::string_view datagram)
{
    const std::size_t end = datagram.find('\0');
    if (datagram.size() > max_log_datagram || end == datagram.npos || end < 2 || end > 1 + max_log_tag)
        return std::nullopt;
    const int level = datagram[0] - '0';
    if (level < 0 || level >= levels) return std::nullopt;
    return RelayedLine{static_cast<LogLevel>(level), datagram.substr(1, end - 1), datagram.substr(end + 1)};
}

Result<Fd> connect_log_relay(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(ErrorCode::too_long, "socket path too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return fail(Error::from_errno("socket"));
    // A master that is busy with a reload may let the queue of datagrams fill.
    timeval limit{5, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
        return fail(Error::from_errno("connect to", path));
    return socket;
}

std::unique_ptr<LogSink> relay_sink(Fd socket, std::function<std::unique_ptr<LogSink>()> instead)
{
    return std::make_unique<RelaySink>(std::move(socket), std::move(instead));
}

}  // namespace ekiden::base
