#include "explain/stand_in.hpp"

#include "base/watcher.hpp"
#include "deliver/helper/channel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ekiden::explain {

using deliver::HelperAnswer;
using deliver::HelperRequest;

namespace {

Result<std::array<Fd, 2>> make_pair()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return fail(Error::from_errno("socketpair"));
    return std::array<Fd, 2>{Fd(ends[0]), Fd(ends[1])};
}

void note(std::string_view what, const HelperRequest& request, std::string_view value)
{
    if (base::Watcher* watcher = base::watcher())
        watcher->note("act", what, fmt::format("{}:{}", request.uid, request.gid), value, request.path);
}

bool is_in_group(const HelperRequest& request, gid_t group)
{
    if (group == request.gid || request.user.empty()) return group == request.gid;
    std::array<gid_t, 256> groups{};
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(request.user.c_str(), request.gid, groups.data(), &count) < 0) return false;
    return std::find(groups.begin(), groups.begin() + count, group) != groups.begin() + count;
}

// May this user make files in the folder, or write the file? By its mode, as the kernel looks at it first; what ACLs or a
// read-only disk add is not seen.
bool may_write(const struct stat& status, const HelperRequest& request)
{
    if (request.uid == 0) return true;
    const mode_t needed = S_ISDIR(status.st_mode) ? 03 : 02;
    if (status.st_uid == request.uid) return (status.st_mode >> 6 & needed) == needed;
    if (is_in_group(request, status.st_gid)) return (status.st_mode >> 3 & needed) == needed;
    return (status.st_mode & needed) == needed;
}

// Why the mailbox could not be written or made; empty where nothing speaks against it.
std::string write_trouble(const HelperRequest& request)
{
    if (request.is_in_spool) return {};    // made with the system's rights
    std::string path = request.path;
    struct stat status{};
    if (request.kind == HelperRequest::Kind::maildir) {
        while (path.size() > 1 && path.ends_with('/')) path.pop_back();
        if (::stat((path + "/new").c_str(), &status) == 0) path += "/new";
    }
    // What is missing is made in the folder around it.
    while (::stat(path.c_str(), &status) != 0) {
        if (errno != ENOENT) return fmt::format("{}: {}", path, std::strerror(errno));
        const auto slash = path.rfind('/');
        if (slash == std::string::npos || path == "/") return {};
        path.resize(std::max<std::size_t>(slash, 1));
    }
    if (may_write(status, request)) return {};
    return fmt::format("this user may not {} {}", S_ISDIR(status.st_mode) ? "make files in" : "write to", path);
}

std::string command_line(const HelperRequest& request)
{
    std::string line = request.arguments.empty() ? request.path : std::string();
    for (const std::string& word : request.arguments) line += (line.empty() ? "" : " ") + word;
    return line;
}

}  // namespace

Result<std::unique_ptr<StandIn>> StandIn::start()
{
    EKIDEN_TRY_VALUE(real, make_pair());
    EKIDEN_TRY_VALUE(engine, make_pair());
    const pid_t child = ::fork();
    if (child < 0) return fail(Error::from_errno("fork"));
    if (child == 0) {
        real[0].reset();
        engine[0].reset();
        engine[1].reset();
        ::_exit(deliver::run_helper(real[1].get()));
    }
    real[1].reset();
    return std::unique_ptr<StandIn>(new StandIn(std::move(engine[0]), std::move(engine[1]), std::move(real[0])));
}

StandIn::StandIn(Fd engine_side, Fd own_side, Fd real)
    : own_side_(std::move(own_side)), real_(std::move(real)),
      helper_(std::make_unique<deliver::Helper>(std::move(engine_side))), thread_([this] { serve(); })
{
}

StandIn::~StandIn()
{
    helper_.reset();
    ::shutdown(own_side_.get(), SHUT_RDWR);
    thread_.join();
}

void StandIn::serve()
{
    for (;;) {
        const auto datagram = deliver::receive(own_side_.get(), 0);
        if (!datagram) return;
        const auto request = deliver::decode_request(datagram->bytes);
        if (!request) continue;
        HelperAnswer answered = answer(*request, datagram->bytes);
        answered.number = request->number;
        deliver::reply(own_side_.get(), answered);
    }
}

HelperAnswer StandIn::answer(const HelperRequest& request, std::string_view bytes)
{
    HelperAnswer done;
    done.kind = HelperAnswer::Kind::done;
    switch (request.kind) {
    case HelperRequest::Kind::read_file: return read(request, bytes);
    case HelperRequest::Kind::command:
        note("command", request, command_line(request));
        done.kind = HelperAnswer::Kind::exited;
        return done;
    case HelperRequest::Kind::maildir:
    case HelperRequest::Kind::mailbox:
        // Whether the files are there is looked up one by one, so that it can be told.
        if (!request.unless.empty()) {
            done.kind = HelperAnswer::Kind::withheld;
            return done;
        }
        note(request.kind == HelperRequest::Kind::maildir ? "maildir" : "mailbox", request, write_trouble(request));
        return done;
    }
    return done;
}

HelperAnswer StandIn::read(const HelperRequest& request, std::string_view bytes)
{
    HelperAnswer answer;
    answer.what = "read";
    answer.os_error = EIO;
    if (deliver::send_datagram(real_.get(), bytes, -1, 0)) {
        if (const auto datagram = deliver::receive(real_.get(), 0)) {
            if (auto answers = deliver::decode_answers(datagram->bytes); answers && !answers->empty())
                answer = std::move(answers->front());
        }
    }
    if (answer.kind == HelperAnswer::Kind::done) {
        if (request.offset == 0) note("read", request, "is there");
    } else if (answer.os_error == EPERM && ::geteuid() != 0) {
        // Only root can become somebody else and look. Going on as if there were none is said, and marked as a guess.
        note("read", request, "not looked at: only root may");
        answer.os_error = ENOENT;
        answer.what = "open file";
    } else {
        note("read", request, deliver::means_no_file(answer.os_error) ? "is not there" : std::string_view(answer.text));
    }
    return answer;
}

}  // namespace ekiden::explain
