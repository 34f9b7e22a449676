// The helper: a small process with root's rights and no other knowledge. It reads one bounded request after another
// from the engine and hands each to a worker process that has become the request's user for good; a worker never
// changes back. Workers answer the engine directly.
#include "base/clock.hpp"
#include "base/fd.hpp"
#include "deliver/helper/acts.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"

#include <algorithm>
#include <utility>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <grp.h>
#include <map>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

constexpr std::size_t worker_limit = 64;      // users served at a time; the one idle for longest makes room
constexpr std::size_t batch_limit = 64;       // Maildir deliveries that share one sync
constexpr std::chrono::milliseconds most_gather_time{4};

struct Datagram {
    std::string bytes;
    Fd content;
    std::uint64_t number = 0;    // of the request, once it is decoded
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
    ssize_t n = 0;
    do n = ::recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail(errno == EAGAIN ? ErrorCode::unavailable : ErrorCode::system, "recvmsg");
    if (n == 0) return fail(ErrorCode::closed, "closed");
    Datagram datagram;
    datagram.bytes.assign(buffer, 0, static_cast<std::size_t>(n));
    if (cmsghdr* part = CMSG_FIRSTHDR(&header); part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
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

enum class Passed { yes, later, no };

Passed pass_on(int socket, const Datagram& datagram)
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
    ssize_t n = 0;
    do n = ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0) return Passed::yes;
    return errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS ? Passed::later : Passed::no;
}

void reply(int engine, const HelperAnswer& answer)
{
    std::string bytes = encode(answer);
    ssize_t n = 0;
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

// Who a worker is. `group` besides the user's own: the mail group of a spool whose folder only it may write; 0 = none.
struct Identity {
    uid_t uid;
    gid_t gid;
    gid_t group;
    std::string user;
    auto operator<=>(const Identity&) const = default;
};

// Irrevocably.
bool become(const Identity& who)
{
    if (::geteuid() != 0) return ::geteuid() == who.uid;   // without root there is only ourselves
    int groups = 0;
    if (!who.user.empty()) groups = ::initgroups(who.user.c_str(), who.gid);
    else groups = who.group ? ::setgroups(1, &who.group) : ::setgroups(0, nullptr);
    if (groups < 0) return false;
    return ::setresgid(who.gid, who.gid, who.gid) == 0 && ::setresuid(who.uid, who.uid, who.uid) == 0 && (who.uid == 0 || ::setuid(0) < 0);
}

// ---- A worker

// What takes long or changes the process (a command, a mailbox with its locks) gets a process of its own, which answers
// for itself.
void in_own_process(Act& act, int engine, void (*work)(Act&))
{
    pid_t child = ::fork();
    if (child < 0) return fail_act(act, "fork");
    if (child == 0) {
        work(act);
        reply(engine, act.answer);
        ::_exit(0);
    }
    act.request.number = 0;
}

// Waits until another request is there, or `until` has passed.
bool wait_for_more(int requests, SteadyTime until)
{
    auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - base::steady_now());
    if (left.count() <= 0) return false;
    pollfd wait{requests, POLLIN, 0};
    timespec time{0, static_cast<long>(left.count())};
    return ::ppoll(&wait, 1, &time, nullptr) > 0;
}

[[noreturn]] void work(int requests, int engine)
{
    ::umask(0077);
    std::size_t last_count = 0;
    std::chrono::nanoseconds last_time{};
    for (;;) {
        std::vector<Act> acts;
        int flags = 0;
        SteadyTime gather_until{};
        // One request at least; then whatever has piled up meanwhile joins the same sync. Those that were answered
        // together come back one after another: where there were several, a moment is spent on waiting for the rest.
        while (acts.size() < batch_limit) {
            auto datagram = receive(requests, flags);
            if (!datagram && datagram.error().is(ErrorCode::unavailable)) {
                if (last_count > 1 && acts.size() < last_count && wait_for_more(requests, gather_until)) continue;
                break;
            }
            if (!datagram && acts.empty()) ::_exit(0);
            if (!datagram) break;
            auto request = decode_request(datagram->bytes);
            if (!request) continue;   // the dispatcher has decoded it already
            if (request->has_descriptor != bool(datagram->content)) {
                refuse(engine, request->number, "receive the message", EMFILE);
                continue;
            }
            Act act;
            act.answer.number = request->number;
            act.request = std::move(*request);
            act.content = std::move(datagram->content);
            bool is_maildir = act.request.kind == HelperRequest::Kind::maildir;
            if (acts.empty()) gather_until = base::steady_now() + std::min<std::chrono::nanoseconds>(last_time / 4, most_gather_time);
            acts.push_back(std::move(act));
            if (!is_maildir) break;
            flags = MSG_DONTWAIT;
        }
        std::vector<Act*> maildirs;
        for (Act& act : acts) {
            switch (act.request.kind) {
            case HelperRequest::Kind::maildir: maildirs.push_back(&act); break;
            case HelperRequest::Kind::mailbox: in_own_process(act, engine, deliver_to_mailbox); break;
            case HelperRequest::Kind::read_file: read_user_file(act); break;
            case HelperRequest::Kind::command: in_own_process(act, engine, run_command); break;
            }
        }
        if (!maildirs.empty()) {
            SteadyTime began = base::steady_now();
            deliver_to_maildirs(maildirs);
            last_time = base::steady_now() - began;
            // One more than last time, so that a batch that is let grow can.
            last_count = maildirs.size() > 1 ? maildirs.size() + 1 : 1;
        }
        for (const Act& act : acts) {
            if (act.request.number != 0) reply(engine, act.answer);
        }
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
    }
}

// Whoever could not become the user does nothing for him: says so until the dispatcher stops asking.
[[noreturn]] void refuse_all(int requests, int engine, int error)
{
    timeval limit{5, 0};
    ::setsockopt(requests, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (;;) {
        auto datagram = receive(requests, 0);
        if (!datagram) ::_exit(71);
        if (auto request = decode_request(datagram->bytes)) refuse(engine, request->number, "become user", error);
    }
}

// ---- The dispatcher

struct Worker {
    Fd requests;
    SteadyTime used_at;
    std::deque<Datagram> waiting{};  // while its socket is full
    std::deque<std::uint64_t> handed{};   // the last requests it was given: what it takes with it when it dies
};
constexpr std::size_t handed_limit = 1024;

// Mail is never delivered with root's rights, whatever a table says. The one exception is root's own mailbox, where the
// system puts it: on many machines nobody has made an alias for root.
bool is_allowed_as_root(const HelperRequest& r)
{
    if (r.kind == HelperRequest::Kind::read_file) return true;
    if (r.kind == HelperRequest::Kind::mailbox) return r.is_in_spool && r.checks_owner && (r.path == "/var/mail/root" || r.path == "/var/spool/mail/root");
    static const std::string home = [] {
        const passwd* root = ::getpwuid(0);
        return std::string(root && root->pw_dir ? root->pw_dir : "/root");
    }();
    return r.kind == HelperRequest::Kind::maildir && r.path == home + "/Maildir/";
}

// A spool folder in which only the system makes names: the mailbox is made for the user and given to him, empty; what goes
// into it is written with his rights. Where the mail group may make names, the worker gets that group.
void prepare_spool(const HelperRequest& r, Identity& who)
{
    std::string path = r.path;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    std::size_t slash = path.rfind('/');
    if (slash == path.npos || slash == 0) return;
    std::string name = path.substr(slash + 1);
    Fd folder(::open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat info{};
    if (!folder || ::fstat(folder.get(), &info) < 0 || info.st_uid != 0) return;
    if (info.st_mode & S_IWOTH) return;
    if (info.st_mode & S_IWGRP) {
        if (info.st_gid != 0) who.group = info.st_gid;
        return;
    }
    if (name == "." || name == "..") return;
    if (r.kind == HelperRequest::Kind::maildir) {
        if (::mkdirat(folder.get(), name.c_str(), 0700) < 0) return;
        Fd made(::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (made && ::fchown(made.get(), r.uid, r.gid) < 0) ::unlinkat(folder.get(), name.c_str(), AT_REMOVEDIR);
        return;
    }
    Fd made(::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (made && ::fchown(made.get(), r.uid, r.gid) < 0) ::unlinkat(folder.get(), name.c_str(), 0);
}

class Dispatcher {
public:
    explicit Dispatcher(int engine) : engine_(engine) {}

    int run()
    {
        for (;;) {
            std::vector<pollfd> wait;
            std::vector<Identity> whose;
            // Back-pressure: while too much waits for slow workers, the engine waits as well.
            wait.push_back({backlog_ < backlog_limit ? engine_ : -1, POLLIN, 0});
            for (const auto& [who, worker] : workers_) {
                wait.push_back({worker.requests.get(), static_cast<short>(worker.waiting.empty() ? 0 : POLLOUT), 0});
                whose.push_back(who);
            }
            if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) return 1;
            while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
            for (std::size_t i = 0; i < whose.size(); ++i) {
                if (wait[i + 1].revents & (POLLHUP | POLLERR)) bury(whose[i]);
                if (wait[i + 1].revents) push(whose[i]);
            }
            if (!wait[0].revents) continue;
            auto datagram = receive(engine_, MSG_DONTWAIT);
            if (!datagram && datagram.error().is(ErrorCode::unavailable)) continue;
            if (!datagram) return datagram.error().is(ErrorCode::closed) ? 0 : 1;
            take(std::move(*datagram));
        }
    }

private:
    static constexpr std::size_t backlog_limit = 256;

    void take(Datagram datagram)
    {
        auto request = decode_request(datagram.bytes);
        if (!request) return;   // no number to answer to; the engine's time limit settles it
        if (request->has_descriptor != bool(datagram.content)) return refuse(engine_, request->number, "receive the message", EMFILE);
        bool is_root = ::geteuid() == 0;
        if (is_root && (request->uid == 0 || request->gid == 0) && !is_allowed_as_root(*request)) return refuse(engine_, request->number, "deliver as root", EPERM);
        Identity who{request->uid, request->gid, 0, request->user};
        if (is_root && request->is_in_spool && request->kind != HelperRequest::Kind::command) prepare_spool(*request, who);
        Worker* worker = find(who);
        if (!worker) return refuse(engine_, request->number, "become user", errno);
        worker->used_at = base::steady_now();
        datagram.number = request->number;
        worker->waiting.push_back(std::move(datagram));
        ++backlog_;
        push(who);
    }

    // A worker ends by itself only when we drop it: this one was killed. Nobody shall wait for what it had in hand; what it
    // had answered already is not waited for, and the engine ignores the second answer.
    void bury(const Identity& who)
    {
        auto at = workers_.find(who);
        if (at == workers_.end()) return;
        for (std::uint64_t number : std::exchange(at->second.handed, {})) refuse(engine_, number, "worker died", EIO);
        if (at->second.waiting.empty()) workers_.erase(at);
    }

    // Hands over what waits for a worker, as far as its socket takes it. A worker that died is replaced once.
    void push(const Identity& who)
    {
        auto at = workers_.find(who);
        if (at == workers_.end()) return;
        for (bool is_second = false; !at->second.waiting.empty();) {
            Passed passed = pass_on(at->second.requests.get(), at->second.waiting.front());
            if (passed == Passed::later) return;
            if (passed == Passed::yes) {
                at->second.handed.push_back(at->second.waiting.front().number);
                if (at->second.handed.size() > handed_limit) at->second.handed.pop_front();
            }
            if (passed == Passed::no && !is_second) {
                is_second = true;
                for (std::uint64_t number : std::exchange(at->second.handed, {})) refuse(engine_, number, "worker died", EIO);
                Fd fresh = start(who);
                if (fresh) {
                    at->second.requests = std::move(fresh);
                    continue;
                }
            }
            int error = errno;
            if (passed == Passed::no) {
                refuse(engine_, at->second.waiting.front().number, "start worker", error ? error : EIO);
            }
            at->second.waiting.pop_front();
            --backlog_;
        }
    }

    Worker* find(const Identity& who)
    {
        if (auto at = workers_.find(who); at != workers_.end()) return &at->second;
        if (::geteuid() != 0 && who.uid != ::geteuid()) return errno = EPERM, nullptr;
        if (workers_.size() >= worker_limit) {
            auto oldest = workers_.end();
            for (auto at = workers_.begin(); at != workers_.end(); ++at) {
                if (at->second.waiting.empty() && (oldest == workers_.end() || at->second.used_at < oldest->second.used_at)) oldest = at;
            }
            if (oldest == workers_.end()) return errno = EAGAIN, nullptr;
            workers_.erase(oldest);   // it finishes what it has, then sees the end of its socket
        }
        Fd requests = start(who);
        if (!requests) return nullptr;
        return &workers_.emplace(who, Worker{std::move(requests), base::steady_now()}).first->second;
    }

    Fd start(const Identity& who)
    {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return {};
        Fd ours(ends[0]), theirs(ends[1]);
        pid_t child = ::fork();
        if (child < 0) return {};
        if (child == 0) {
            ours.reset();
            workers_.clear();   // other users' messages and sockets
            ::signal(SIGTERM, SIG_DFL);
            ::signal(SIGXFSZ, SIG_IGN);
            if (!become(who)) refuse_all(theirs.get(), engine_, errno ? errno : EPERM);
            work(theirs.get(), engine_);
        }
        return ours;
    }

    int engine_;
    std::map<Identity, Worker> workers_;
    std::size_t backlog_ = 0;
};

}  // namespace

int run_helper(int channel)
{
    ::prctl(PR_SET_NAME, "ekiden-helper");
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::fcntl(channel, F_SETFD, FD_CLOEXEC);
    // A descriptor a worker, and one a message that waits.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    return Dispatcher(channel).run();
}

}  // namespace ekiden::deliver
