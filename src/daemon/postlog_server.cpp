#include "daemon/postlog_server.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

constexpr std::string_view commands_of_people[] = {"sendmail", "mailq",     "newaliases",
                                                   "postdrop", "postqueue", "postlog"};
constexpr std::size_t drain_limit = 10'000;

}  // namespace

bool may_use_tag(std::string_view tag, std::string_view syslog_name, bool is_administrator)
{
    if (is_administrator) return true;
    // Filters know the mail system's lines by such a beginning ("postfix", "postfix-out/submission").
    const bool looks_like_ours = tag.starts_with("postfix") || tag.starts_with(syslog_name);
    if (!looks_like_ours) return tag.find_first_of("[]:/ ") == tag.npos;
    const std::size_t slash = tag.rfind('/');
    return slash != tag.npos && tag.substr(0, slash) == syslog_name &&
           std::ranges::find(commands_of_people, tag.substr(slash + 1)) != std::end(commands_of_people);
}

Result<void> PostlogServer::open(const std::string& path, bool sets_owner, uid_t uid, gid_t gid)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(ErrorCode::too_long, "socket path too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    ::unlink(path.c_str());
    Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail(Error::from_errno("socket"));
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        return fail(Error::from_errno("SO_PASSCRED", path));
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
        return fail(Error::from_errno("bind", path));
    // The folder says who comes this far.
    if (::chmod(path.c_str(), 0666) < 0) return fail(Error::from_errno("chmod", path));
    if (sets_owner && ::chown(path.c_str(), uid, gid) < 0) return fail(Error::from_errno("chown", path));
    socket_ = std::move(socket);
    path_ = path;
    return {};
}

void PostlogServer::receive(const std::string& syslog_name, std::size_t most)
{
    char bytes[base::max_log_datagram + 1];
    for (std::size_t count = 0; socket_ && count < most; ++count) {
        iovec part{bytes, sizeof bytes};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t length = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return;
        const cmsghdr* head = CMSG_FIRSTHDR(&message);
        if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_CREDENTIALS) continue;
        ucred sender{};
        std::memcpy(&sender, CMSG_DATA(head), sizeof sender);
        const auto line = base::parse_log_datagram(std::string_view(bytes, static_cast<std::size_t>(length)));
        if (!line) continue;
        const bool is_administrator = sender.uid == 0 || sender.uid == ::geteuid();
        const std::string tag = base::printable(line->tag);
        std::string text = base::printable(line->text);
        if (may_use_tag(tag, syslog_name, is_administrator)) {
            base::current_sink().write_for(sender.pid, line->level, tag, base::label_of(line->level), text);
        } else {
            text = fmt::format("uid={} as {}: {}", sender.uid, tag, text);
            base::current_sink().write_for(sender.pid, line->level, syslog_name + "/postlog",
                                           base::label_of(line->level), text);
        }
    }
}

void PostlogServer::close(const std::string& syslog_name)
{
    if (!socket_) return;
    ::unlink(path_.c_str());
    receive(syslog_name, drain_limit);
    socket_.reset();
}

}  // namespace ekiden::daemon
