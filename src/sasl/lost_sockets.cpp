#include "sasl/lost_sockets.hpp"

#include <cstddef>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

constexpr int first = 3;

// All numbers below are taken, and a few above may be.
int lowest_free()
{
    const int fd = ::fcntl(0, F_DUPFD_CLOEXEC, first);
    if (fd >= 0) ::close(fd);
    return fd;
}

// Its inode, if it is such a socket as the library might have left.
std::optional<ino_t> abandoned(int fd)
{
    sockaddr_un peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) < 0 || peer.sun_family != AF_UNIX ||
        size <= offsetof(sockaddr_un, sun_path))
        return std::nullopt;
    int type = 0;
    size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) return std::nullopt;
    pollfd look{fd, 0, 0};
    struct stat info{};
    if (::poll(&look, 1, 0) != 1 || !(look.revents & POLLHUP) || ::fstat(fd, &info) < 0) return std::nullopt;
    return info.st_ino;
}

}  // namespace

std::size_t LostSockets::close_lost(SteadyTime now)
{
    std::size_t closed = 0;
    std::map<int, Seen> still;
    const int free = lowest_free();
    const int end = free < 0 ? static_cast<int>(::sysconf(_SC_OPEN_MAX)) : free + 1000;
    for (int fd = first; fd < end; ++fd) {
        const auto inode = abandoned(fd);
        if (!inode) continue;
        const auto before = seen_.find(fd);
        const bool is_same = before != seen_.end() && before->second.inode == *inode;
        const SteadyTime since = is_same ? before->second.since : now;
        if (now - since >= patience_) {
            ::close(fd);
            ++closed;
        } else {
            still.emplace(fd, Seen{*inode, since});
        }
    }
    seen_ = std::move(still);
    return closed;
}

}  // namespace ekiden::sasl
