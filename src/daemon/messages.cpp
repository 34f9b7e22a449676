#include "daemon/messages.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace ekiden::daemon {

static constexpr std::size_t max_text = 4096;
static constexpr std::size_t max_descriptors = 64;

Result<std::pair<Fd, Fd>> message_pair()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return fail(Error::from_errno("socketpair"));
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<void> send_message(int socket, std::string_view text, std::span<const int> descriptors)
{
    if (text.size() > max_text || descriptors.size() > max_descriptors)
        return fail(ErrorCode::too_long, "message too long");
    iovec piece{const_cast<char*>(text.data()), text.size()};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(max_descriptors * sizeof(int))]{};
    if (!descriptors.empty()) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
    }
    ssize_t n;
    do n = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail(Error::from_errno("send to process"));
    return {};
}

Result<Message> receive_message(int socket)
{
    Message message;
    message.text.resize(max_text);
    iovec piece{message.text.data(), message.text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(max_descriptors * sizeof(int))]{};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t n;
    do n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail(Error::from_errno("receive from process"));
    if (n == 0) return fail(ErrorCode::closed, "the other process is gone");
    message.text.resize(static_cast<std::size_t>(n));
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            message.descriptors.emplace_back(fd);
        }
    }
    return message;
}

}  // namespace ekiden::daemon
