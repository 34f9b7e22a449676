#include "deliver/helper/worker.hpp"

#include "deliver/helper/acts.hpp"
#include "deliver/helper/channel.hpp"
#include "deliver/helper/crowd.hpp"
#include "deliver/helper/maildir.hpp"
#include "deliver/helper/sync_crew.hpp"

#include <cerrno>
#include <csignal>
#include <grp.h>
#include <memory>
#include <optional>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

// Irrevocably.
bool become(const Identity& who)
{
    if (::geteuid() != 0) return ::geteuid() == who.uid && who.root.empty();   // without root there is only ourselves
    // Whoever may fill that folder could make su believe anything: there no program gains rights.
    if (!who.root.empty() &&
        (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ::chroot(who.root.c_str()) < 0 || ::chdir("/") < 0))
        return false;
    int groups = 0;
    if (!who.user.empty()) groups = ::initgroups(who.user.c_str(), who.gid);
    else groups = who.group ? ::setgroups(1, &who.group) : ::setgroups(0, nullptr);
    if (groups < 0) return false;
    return ::setresgid(who.gid, who.gid, who.gid) == 0 && ::setresuid(who.uid, who.uid, who.uid) == 0 &&
           (who.uid == 0 || ::setuid(0) < 0);
}

// It answers for itself. No thread may run here: the child would inherit what they had locked.
void in_own_process(Act& act, int engine, void (*work)(Act&))
{
    pid_t child = ::fork();
    if (child < 0) {
        fail_act(act, "fork");
        return reply(engine, act.answer);
    }
    if (child > 0) return;   // reaped by the system
    ::signal(SIGCHLD, SIG_DFL);
    work(act);
    reply(engine, act.answer);
    ::_exit(0);
}

[[noreturn]] void serve(int requests, int engine)
{
    ::umask(0077);
    ::signal(SIGCHLD, SIG_IGN);
    std::optional<SyncCrew> crew(std::in_place, engine);
    while (auto act = receive_act(requests, engine)) {
        if (is_withheld(*act)) {
            reply(engine, act->answer);
            continue;
        }
        switch (act->request.kind) {
        case HelperRequest::Kind::maildir:
            if (write_maildir_file(*act)) crew->add(std::move(act));
            else reply(engine, act->answer);
            break;
        case HelperRequest::Kind::read_file:
            read_user_file(*act);
            reply(engine, act->answer);
            break;
        case HelperRequest::Kind::mailbox:
            crew->drain();
            in_own_process(*act, engine, deliver_to_mailbox);
            break;
        case HelperRequest::Kind::command:
            crew->drain();
            in_own_process(*act, engine, run_command);
            break;
        }
    }
    crew.reset();
    ::_exit(0);
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

}  // namespace

void run_worker(const Identity& who, int requests, int engine)
{
    ::signal(SIGTERM, SIG_DFL);
    ::signal(SIGXFSZ, SIG_IGN);
    if (who.is_crowd) serve_crowd(requests, engine);
    if (!become(who)) refuse_all(requests, engine, errno ? errno : EPERM);
    serve(requests, engine);
}

}  // namespace ekiden::deliver
