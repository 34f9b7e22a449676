// The helper: a small process with root's rights and no other knowledge. It reads one bounded request after another
// from the engine and hands each to a worker process that has become the request's user for good; a worker never
// changes back. Workers answer the engine directly.
#include "base/clock.hpp"
#include "base/fd.hpp"
#include "deliver/helper/acts.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <map>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

constexpr std::size_t worker_limit = 64;      // users served at a time; the one idle for longest makes room
constexpr std::size_t batch_limit = 64;       // Maildir deliveries that share one sync

struct Datagram {
    std::string bytes;
    Fd content;
};

// ErrorCode::closed at the end, ErrorCode::unavailable when nothing waits and `flags` has MSG_DONTWAIT.
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
    ssize_t n;
    do n = ::recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail(errno == EAGAIN ? ErrorCode::unavailable : ErrorCode::system, "recvmsg");
    if (n == 0) return fail(ErrorCode::closed, "closed");
    Datagram datagram;
    datagram.bytes.assign(buffer, 0, static_cast<std::size_t>(n));
    if (cmsghdr* part = CMSG_FIRSTHDR(&header); part && part->cmsg_type == SCM_RIGHTS && part->cmsg_len == CMSG_LEN(sizeof(int))) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
        datagram.content = Fd(fd);
    }
    return datagram;
}

bool pass_on(int socket, const Datagram& datagram)
{
    iovec piece{const_cast<char*>(datagram.bytes.data()), datagram.bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    if (datagram.content) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        cmsghdr* part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        int fd = datagram.content.get();
        std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
    }
    ssize_t n;
    do n = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

void reply(int engine, const HelperAnswer& answer)
{
    std::string bytes = encode(answer);
    ssize_t n;
    do n = ::send(engine, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
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

// Irrevocably.
bool become(uid_t uid, gid_t gid, const std::string& user)
{
    if (::geteuid() != 0) return ::geteuid() == uid;   // without root there is only ourselves
    if ((user.empty() ? ::setgroups(0, nullptr) : ::initgroups(user.c_str(), gid)) < 0) return false;
    return ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0 && (uid == 0 || ::setuid(0) < 0);
}

// ---- A worker

[[noreturn]] void work(int requests, int engine)
{
    ::umask(0077);
    for (;;) {
        std::vector<Act> acts;
        int flags = 0;
        // One request at least; then whatever has piled up meanwhile joins the same sync.
        while (acts.size() < batch_limit) {
            auto datagram = receive(requests, flags);
            if (!datagram && datagram.error().is(ErrorCode::unavailable)) break;
            if (!datagram && acts.empty()) ::_exit(0);
            if (!datagram) break;
            auto request = decode_request(datagram->bytes);
            if (!request) continue;   // the dispatcher has decoded it already
            Act act;
            act.answer.number = request->number;
            act.request = std::move(*request);
            act.content = std::move(datagram->content);
            bool is_maildir = act.request.kind == HelperRequest::Kind::maildir;
            acts.push_back(std::move(act));
            if (!is_maildir) break;
            flags = MSG_DONTWAIT;
        }
        std::vector<Act*> maildirs;
        for (Act& act : acts) {
            switch (act.request.kind) {
            case HelperRequest::Kind::maildir: maildirs.push_back(&act); break;
            case HelperRequest::Kind::mailbox: deliver_to_mailbox(act); break;
            case HelperRequest::Kind::read_file: read_small_file(act); break;
            case HelperRequest::Kind::command:
                // A command may take minutes: it gets a process of its own, which answers for itself.
                if (pid_t child = ::fork(); child == 0) {
                    run_command(act);
                    reply(engine, act.answer);
                    ::_exit(0);
                } else if (child > 0) {
                    act.request.number = 0;   // answered by the child
                } else {
                    act.answer.os_error = errno;
                    act.answer.text = Error::from_errno("fork").text();
                }
                break;
            }
        }
        if (!maildirs.empty()) deliver_to_maildirs(maildirs);
        for (const Act& act : acts) {
            if (act.request.number != 0) reply(engine, act.answer);
        }
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
    }
}

// ---- The dispatcher

struct Identity {
    uid_t uid;
    gid_t gid;
    std::string user;
    auto operator<=>(const Identity&) const = default;
};

struct Worker {
    Fd requests;
    SteadyTime used_at;
};

class Dispatcher {
public:
    explicit Dispatcher(int engine) : engine_(engine) {}

    int run()
    {
        for (;;) {
            auto datagram = receive(engine_, 0);
            while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
            if (!datagram) return datagram.error().is(ErrorCode::closed) ? 0 : 1;
            auto request = decode_request(datagram->bytes);
            if (!request) continue;   // no number to answer to; the engine's time limit settles it
            // Mail is never delivered with root's rights, whatever a table says.
            if (::geteuid() == 0 && (request->uid == 0 || request->gid == 0) && request->kind != HelperRequest::Kind::read_file) {
                refuse(engine_, request->number, "deliver as root", EPERM);
                continue;
            }
            Worker* worker = find({request->uid, request->gid, request->user});
            if (!worker) {
                refuse(engine_, request->number, "become user", errno);
                continue;
            }
            worker->used_at = base::steady_now();
            if (pass_on(worker->requests.get(), *datagram)) continue;
            // The worker died: once more with a new one.
            workers_.erase({request->uid, request->gid, request->user});
            worker = find({request->uid, request->gid, request->user});
            if (!worker || !pass_on(worker->requests.get(), *datagram)) refuse(engine_, request->number, "start worker", errno ? errno : EIO);
        }
    }

private:
    Worker* find(const Identity& identity)
    {
        if (auto at = workers_.find(identity); at != workers_.end()) return &at->second;
        if (::geteuid() != 0 && identity.uid != ::geteuid()) return errno = EPERM, nullptr;
        if (workers_.size() >= worker_limit) {
            auto oldest = std::min_element(workers_.begin(), workers_.end(), [](const auto& a, const auto& b) { return a.second.used_at < b.second.used_at; });
            workers_.erase(oldest);   // it finishes what it has, then sees the end of its socket
        }
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return nullptr;
        Fd ours(ends[0]), theirs(ends[1]);
        pid_t child = ::fork();
        if (child < 0) return nullptr;
        if (child == 0) {
            ours.reset();
            workers_.clear();
            ::signal(SIGTERM, SIG_DFL);
            ::signal(SIGCHLD, SIG_DFL);
            ::signal(SIGXFSZ, SIG_IGN);
            if (!become(identity.uid, identity.gid, identity.user)) ::_exit(71);
            work(theirs.get(), engine_);
        }
        Worker worker{std::move(ours), base::steady_now()};
        return &workers_.emplace(identity, std::move(worker)).first->second;
    }

    int engine_;
    std::map<Identity, Worker> workers_;
};

}  // namespace

int run_helper(int channel)
{
    ::prctl(PR_SET_NAME, "ekiden-helper");
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::fcntl(channel, F_SETFD, FD_CLOEXEC);
    return Dispatcher(channel).run();
}

}  // namespace ekiden::deliver
