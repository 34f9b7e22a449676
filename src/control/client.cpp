#include "control/client.hpp"

#include "base/fd.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace ekiden::control {

static Result<Fd> connect_to(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(ErrorCode::too_long, "socket path too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return fail(Error::from_errno("socket"));
    timeval limit{60, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
        if (errno == ENOENT || errno == ECONNREFUSED) return fail(ErrorCode::unavailable, "the mail system is down");
        return fail(Error::from_errno("connect to", path));
    }
    return socket;
}

Result<void> call(const std::string& queue_directory, const std::vector<std::string>& words,
                  const std::function<void(std::string_view)>& on_body)
{
    EKIDEN_TRY_VALUE(socket, connect_to(queue_directory + "/" + std::string(socket_name)));
    std::string request = format_request(words);
    if (request.size() > max_request) return fail(ErrorCode::too_long, "request too long");
    std::string_view unsent = request;
    while (!unsent.empty()) {
        ssize_t n = ::send(socket.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Error::from_errno("send request"));
        unsent.remove_prefix(static_cast<std::size_t>(n));
    }

    std::string head;
    bool has_status = false;
    char buffer[65536];
    for (;;) {
        ssize_t n = ::recv(socket.get(), buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Error::from_errno(errno == EAGAIN ? ETIMEDOUT : errno, "read answer"));
        std::string_view piece(buffer, static_cast<std::size_t>(n));
        if (!has_status) {
            head.append(piece);
            std::size_t end = head.find('\n');
            if (end == head.npos && n > 0 && head.size() <= max_request) continue;
            if (end == head.npos)
                return fail(ErrorCode::protocol, "the engine closed the connection without an answer");
            std::string status = head.substr(0, end);
            if (status != "ok")
                return fail(ErrorCode::refused, status.starts_with("error ") ? status.substr(6) : status);
            has_status = true;
            if (head.size() > end + 1) on_body(std::string_view(head).substr(end + 1));
        } else if (n > 0) {
            on_body(piece);
        }
        if (n == 0) return {};
    }
}

Result<std::string> call(const std::string& queue_directory, const std::vector<std::string>& words)
{
    std::string body;
    EKIDEN_TRY(call(queue_directory, words, [&](std::string_view piece) { body.append(piece); }));
    return body;
}

}  // namespace ekiden::control
