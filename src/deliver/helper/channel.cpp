#include "deliver/helper/channel.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace ekiden::deliver {

namespace {

void send_bytes(int engine, std::string_view bytes)
{
    ssize_t n = 0;
    do n = ::send(engine, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
}

}  // namespace

Result<Datagram> receive(int socket, int flags)
{
    static std::string buffer(max_request, '\0');
    iovec piece{buffer.data(), buffer.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t n = 0;
    do n = ::recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail(errno == EAGAIN ? ErrorCode::unavailable : ErrorCode::system, "recvmsg");
    if (n == 0) return fail(ErrorCode::closed, "closed");
    Datagram datagram;
    datagram.bytes.assign(buffer, 0, static_cast<std::size_t>(n));
    if (cmsghdr* part = CMSG_FIRSTHDR(&header);
        part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
        // One is agreed; padding may have made room for a second, which must not stay open.
        for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= part->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
            datagram.content = Fd(fd);
        }
    }
    if (header.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) datagram.content.reset();
    return datagram;
}

bool send_datagram(int socket, std::string_view bytes, int content, int flags)
{
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    if (content >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        cmsghdr* part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(part), &content, sizeof content);
    }
    ssize_t n = 0;
    do n = ::sendmsg(socket, &header, MSG_NOSIGNAL | flags);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

Passed pass_on(int socket, const Datagram& datagram)
{
    if (send_datagram(socket, datagram.bytes, datagram.content ? datagram.content.get() : -1, MSG_DONTWAIT))
        return Passed::yes;
    return errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS ? Passed::later : Passed::no;
}

void reply(int engine, const HelperAnswer& answer)
{
    send_bytes(engine, encode(answer));
}

void reply(int engine, std::span<const HelperAnswer> answers)
{
    std::string bytes;
    for (const HelperAnswer& answer : answers) {
        std::string one = encode(answer);
        if (!bytes.empty() && bytes.size() + one.size() > max_request) {
            send_bytes(engine, bytes);
            bytes.clear();
        }
        bytes += one;
    }
    if (!bytes.empty()) send_bytes(engine, bytes);
}

void refuse(int engine, std::uint64_t number, std::string what, int error)
{
    HelperAnswer answer;
    answer.number = number;
    answer.os_error = error;
    answer.text = Error::from_errno(error, what).text();
    answer.what = std::move(what);
    reply(engine, answer);
}

}  // namespace ekiden::deliver
