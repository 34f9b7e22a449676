// The dispatcher: the helper's first process, with root's rights and no other knowledge. It reads one bounded request after
// another from the engine and hands each to a worker that has become the request's user for good, or, for the Maildir of
// somebody who gets mail now and then, to the crowd. Workers answer the engine directly.
#include "base/clock.hpp"
#include "base/fd.hpp"
#include "deliver/helper/channel.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"
#include "deliver/helper/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ekiden::deliver {

namespace {

constexpr std::size_t worker_limit = 64;      // users served at a time; the one idle for longest makes room
constexpr std::chrono::seconds in_use_for{10};

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
    if (r.kind == HelperRequest::Kind::mailbox)
        return r.is_in_spool && r.checks_owner && (r.path == "/var/mail/root" || r.path == "/var/spool/mail/root");
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
            for (std::size_t i = 0; i < whose.size(); ++i) {
                if (wait[i + 1].revents & (POLLHUP | POLLERR)) bury(whose[i]);
                if (wait[i + 1].revents) push(whose[i]);
            }
            if (!wait[0].revents) continue;
            for (int n = 0; n < most_at_a_time && backlog_ < backlog_limit; ++n) {
                auto datagram = receive(engine_, MSG_DONTWAIT);
                if (!datagram && datagram.error().is(ErrorCode::unavailable)) break;
                if (!datagram) return datagram.error().is(ErrorCode::closed) ? 0 : 1;
                take(std::move(*datagram));
            }
        }
    }

private:
    static constexpr std::size_t backlog_limit = 256;
    static constexpr int most_at_a_time = 32;     // requests, before the workers are looked after again
    // Maildir requests for one user in a second before he gets a worker of his own, and how many users may in that second:
    // where a list sends a dozen messages to a thousand members, starting processes costs more than their mail. With more than
    // `very_often` it does not, and the crowd would not take it all.
    static constexpr int often = 8, most_promoted = 8, very_often = 64;

    void take(Datagram datagram)
    {
        auto request = decode_request(datagram.bytes);
        if (!request) return;   // no number to answer to; the engine's time limit settles it
        if (request->has_descriptor != bool(datagram.content))
            return refuse(engine_, request->number, "receive the message", EMFILE);
        bool is_root = ::geteuid() == 0;
        if (is_root && (request->uid == 0 || request->gid == 0) && !is_allowed_as_root(*request))
            return refuse(engine_, request->number, "deliver as root", EPERM);
        Identity who{request->uid, request->gid, 0, request->user, request->root};
        if (is_root && goes_to_crowd(*request)) who = {0, 0, 0, {}, {}, true};
        if (is_root && request->is_in_spool && request->kind != HelperRequest::Kind::command)
            prepare_spool(*request, who);
        Worker* worker = find(who);
        if (!worker) return refuse(engine_, request->number, "become user", errno);
        worker->used_at = base::steady_now();
        datagram.number = request->number;
        worker->waiting.push_back(std::move(datagram));
        ++backlog_;
        push(who);
    }

    // Whose mail comes often has a worker of his own, which shares its syncs and keeps others out of his troubles.
    bool goes_to_crowd(const HelperRequest& r)
    {
        if (r.kind != HelperRequest::Kind::maildir || r.is_in_spool || r.uid == 0 || r.gid == 0 || !r.user.empty() ||
            !r.root.empty())
            return false;
        if (workers_.contains(Identity{r.uid, r.gid, 0, {}, {}})) return false;
        const SteadyTime now = base::steady_now();
        if (now >= lately_until_) {
            lately_.clear();
            promoted_ = 0;
            lately_until_ = now + std::chrono::seconds(1);
        }
        const int count = ++lately_[{r.uid, r.gid}];
        if (count <= often) return true;
        if (count <= very_often) {
            if (promoted_ == most_promoted) return true;
            // Nor shall a worker that is in use make room for it.
            const auto is_in_use = [now](const auto& entry) { return now - entry.second.used_at < in_use_for; };
            if (workers_.size() >= worker_limit && std::ranges::all_of(workers_, is_in_use)) return true;
            ++promoted_;
        }
        return false;
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
                for (std::uint64_t number : std::exchange(at->second.handed, {}))
                    refuse(engine_, number, "worker died", EIO);
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
                if (at->second.waiting.empty() &&
                    (oldest == workers_.end() || at->second.used_at < oldest->second.used_at))
                    oldest = at;
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
            run_worker(who, theirs.get(), engine_);
        }
        return ours;
    }

    int engine_;
    std::map<Identity, Worker> workers_;
    std::size_t backlog_ = 0;
    std::map<std::pair<uid_t, gid_t>, int> lately_;   // Maildir requests since a moment ago
    SteadyTime lately_until_{};
    int promoted_ = 0;                                // in the same second
};

}  // namespace

int run_helper(int channel)
{
    ::prctl(PR_SET_NAME, "ekiden-helper");
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGCHLD, SIG_IGN);   // nobody waits for workers
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
