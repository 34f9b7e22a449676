#include "deliver/helper/acts.hpp"

#include "base/clock.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <set>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

void fail_act(Act& act, std::string what, std::string_view on = {})
{
    int error = errno;
    act.answer.kind = HelperAnswer::Kind::failed;
    act.answer.os_error = error;
    act.answer.text = Error::from_errno(error, what, on).text();
    act.answer.what = std::move(what);
}

// Prefix, content, suffix into `out`. `quotes_from` puts '>' before "From " at the start of a line.
class Copy {
public:
    explicit Copy(const Act& act, int out) : act_(act), out_(out) {}

    bool run()
    {
        buffer_.reserve(128 << 10);
        if (!put(act_.request.prefix)) return false;
        if (!act_.content) {
            if (!body(act_.request.content)) return false;
        } else {
            std::string piece(64 << 10, '\0');
            for (off_t at = 0;;) {
                auto n = base::read_at(act_.content.get(), piece, at);
                if (!n) return errno = EIO, false;
                if (*n == 0) break;
                if (!body(std::string_view(piece).substr(0, *n))) return false;
                at += static_cast<off_t>(*n);
            }
        }
        return release() && put(act_.request.suffix) && flush();
    }

private:
    // Lines are looked at one by one only where "From " must be quoted. A line start near the end of a piece may hide half
    // of it: up to four bytes are held back until the rest is here.
    bool body(std::string_view text)
    {
        if (!act_.request.quotes_from) return put(text);
        static constexpr std::string_view from = "From ";
        while (!text.empty()) {
            if (!is_line_start_) {
                std::size_t end = text.find('\n');
                std::size_t length = end == text.npos ? text.size() : end + 1;
                if (!put(text.substr(0, length))) return false;
                is_line_start_ = end != text.npos;
                text.remove_prefix(length);
                continue;
            }
            char next = text.front();
            if (next == from[held_]) {
                text.remove_prefix(1);
                if (++held_ < from.size()) continue;
                if (!put(">From ")) return false;
                held_ = 0;
                is_line_start_ = false;
                continue;
            }
            if (!release()) return false;
            is_line_start_ = false;   // what follows is an ordinary line, perhaps an empty one
        }
        return true;
    }
    bool release()
    {
        std::size_t length = std::exchange(held_, 0);
        return put(std::string_view("From ").substr(0, length));
    }
    bool put(std::string_view text)
    {
        if (buffer_.size() + text.size() > (128 << 10) && !flush()) return false;
        if (text.size() >= (128 << 10)) return bool(base::write_all(out_, text));
        buffer_.append(text);
        return true;
    }
    bool flush()
    {
        bool is_fine = bool(base::write_all(out_, buffer_));
        buffer_.clear();
        return is_fine;
    }

    const Act& act_;
    int out_;
    std::string buffer_;
    std::size_t held_ = 0;         // bytes of "From " that matched so far
    bool is_line_start_ = true;
};

// Missing folders are made with mode 0700, parents too, as the user.
bool make_folders(const std::string& path)
{
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return S_ISDIR(info.st_mode) || (errno = ENOTDIR, false);
    if (errno != ENOENT) return false;
    std::size_t slash = path.rfind('/');
    if (slash != path.npos && slash > 0 && !make_folders(path.substr(0, slash))) return false;
    return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

bool open_temporary(Act& act)
{
    static unsigned long counter = 0;
    std::string& path = act.request.path;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    act.folder = path + "/new";
    act.temporary = fmt::format("{}/tmp/{}.P{}Q{}.{}", path, base::to_seconds(base::wall_now()), ::getpid(), ++counter, act.request.host_name);
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = ::open(act.temporary.c_str(), flags, 0600);
    if (fd < 0 && errno == ENOENT) {
        for (const char* part : {"/tmp", "/new", "/cur"}) {
            if (!make_folders(path + part)) return fail_act(act, "create maildir file", act.temporary), false;
        }
        fd = ::open(act.temporary.c_str(), flags, 0600);
    }
    if (fd < 0) return fail_act(act, "create maildir file", act.temporary), false;
    act.file = Fd(fd);
    return true;
}

bool give_name(Act& act)
{
    struct stat info{};
    if (::fstat(act.file.get(), &info) < 0) return fail_act(act, "fstat", act.temporary), false;
    auto now = base::wall_now().time_since_epoch().count();
    for (int attempt = 0; attempt < 10; ++attempt) {
        // Postfix's form: time, device, inode, microseconds. Inodes are unique while the file exists, so the name is.
        std::string name = fmt::format("{}/{}.V{:x}I{:x}M{:06d}.{}", act.folder, now / 1000000, info.st_dev, info.st_ino, now % 1000000 + attempt, act.request.host_name);
        // link, not rename: a name that exists is never overwritten.
        if (::link(act.temporary.c_str(), name.c_str()) == 0) {
            ::unlink(act.temporary.c_str());
            act.temporary.clear();
            return true;
        }
        if (errno != EEXIST) break;
    }
    return fail_act(act, "create maildir file", act.folder), false;
}

// The locks of mailbox_delivery_lock, in the order that cannot deadlock with other mail programs: dotlock first.
bool lock_mailbox(Act& act, std::string& dotlock)
{
    auto give_up = base::steady_now() + std::chrono::seconds(30);
    if (act.request.locks & 4) {
        std::string name = act.request.path + ".lock";
        for (;;) {
            int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            if (fd >= 0) {
                ::close(fd);
                dotlock = name;
                break;
            }
            if (errno != EEXIST) return fail_act(act, "unable to create lock file", name), false;
            struct stat info{};
            // Left behind by a program that died (Postfix's stale_lock_time, 500 s).
            if (::stat(name.c_str(), &info) == 0 && base::to_seconds(base::wall_now()) - info.st_mtime > 500) ::unlink(name.c_str());
            if (base::steady_now() > give_up) return errno = EAGAIN, fail_act(act, "unable to create lock file", name), false;
            ::poll(nullptr, 0, 100);
        }
    }
    for (;;) {
        struct flock whole{};
        whole.l_type = F_WRLCK;
        whole.l_whence = SEEK_SET;
        bool is_locked = (!(act.request.locks & 1) || ::fcntl(act.file.get(), F_SETLK, &whole) == 0) && (!(act.request.locks & 2) || ::flock(act.file.get(), LOCK_EX | LOCK_NB) == 0);
        if (is_locked) return true;
        if (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK) return fail_act(act, "lock", act.request.path), false;
        if (base::steady_now() > give_up) return errno = EAGAIN, fail_act(act, "lock", act.request.path), false;
        ::poll(nullptr, 0, 50);
    }
}

}  // namespace

void deliver_to_maildirs(std::vector<Act*>& acts)
{
    std::vector<Act*> written, named;
    for (Act* act : acts) {
        if (!open_temporary(*act)) continue;
        if (!Copy(*act, act->file.get()).run()) {
            fail_act(*act, "write maildir file", act->temporary);
            continue;
        }
        // Starts the write-out without waiting, so that the syncs below find their data under way.
        ::sync_file_range(act->file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
        written.push_back(act);
    }
    for (Act* act : written) {
        if (::fsync(act->file.get()) < 0) fail_act(*act, "fsync", act->temporary);
        else if (give_name(*act)) named.push_back(act);
    }
    std::set<std::string> synced, failed;
    for (Act* act : named) {
        if (!synced.contains(act->folder) && !failed.contains(act->folder)) {
            if (base::sync_folder(act->folder)) synced.insert(act->folder);
            else failed.insert(act->folder);
        }
        if (synced.contains(act->folder)) act->answer.kind = HelperAnswer::Kind::done;
        else fail_act(*act, "fsync", act->folder);
    }
    for (Act* act : acts) {
        if (!act->temporary.empty()) ::unlink(act->temporary.c_str());
        act->file.reset();
    }
}

void deliver_to_mailbox(Act& act)
{
    const std::string& path = act.request.path;
    struct stat info{};
    bool is_device = ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
    act.file = Fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | (is_device ? 0 : O_NOFOLLOW), 0600));
    if (!act.file) return fail_act(act, "open file", path);
    std::string dotlock;
    if (!is_device && !lock_mailbox(act, dotlock)) return;
    off_t before = is_device ? 0 : ::lseek(act.file.get(), 0, SEEK_END);
    if (act.request.size_limit > 0 && !is_device) {
        // The kernel enforces the limit; SIGXFSZ is ignored, so the write says EFBIG.
        ::signal(SIGXFSZ, SIG_IGN);
        rlimit limit{act.request.size_limit, RLIM_INFINITY};
        rlimit old{};
        ::getrlimit(RLIMIT_FSIZE, &old);
        limit.rlim_max = old.rlim_max;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    bool is_written = Copy(act, act.file.get()).run() && (is_device || ::fsync(act.file.get()) == 0);
    if (!is_written) {
        fail_act(act, "error writing message");
        // Half a message in a mailbox would swallow the next one.
        if (!is_device) (void)!::ftruncate(act.file.get(), before);
    } else {
        act.answer.kind = HelperAnswer::Kind::done;
    }
    if (act.request.size_limit > 0) {
        rlimit none{RLIM_INFINITY, RLIM_INFINITY};
        ::setrlimit(RLIMIT_FSIZE, &none);
    }
    if (!dotlock.empty()) ::unlink(dotlock.c_str());
    act.file.reset();
}

void read_small_file(Act& act)
{
    struct stat info{};
    int fd = ::open(act.request.path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return fail_act(act, "open", act.request.path);
    Fd file(fd);
    if (::fstat(fd, &info) < 0) return fail_act(act, "stat", act.request.path);
    if (!S_ISREG(info.st_mode)) return errno = EINVAL, fail_act(act, "not a regular file:", act.request.path);
    // Who else may write it decides whether the agent believes it.
    act.answer.exit_status = static_cast<std::int32_t>(info.st_mode & 07777);
    std::string text(48 << 10, '\0');
    auto length = base::read_at(fd, text, 0);
    if (!length) return fail_act(act, "read", act.request.path);
    text.resize(*length);
    act.answer.kind = HelperAnswer::Kind::done;
    act.answer.text = std::move(text);
}

void run_command(Act& act)
{
    const HelperRequest& r = act.request;
    int input[2], output[2];
    if (::pipe2(input, O_CLOEXEC) < 0) return fail_act(act, "pipe");
    Fd input_read(input[0]), input_write(input[1]);
    if (::pipe2(output, O_CLOEXEC) < 0) return fail_act(act, "pipe");
    Fd output_read(output[0]), output_write(output[1]);

    std::vector<std::string> arguments = r.arguments;
    // A shell only where the command line needs one, as documented for local(8).
    if (arguments.empty()) arguments = {"/bin/sh", "-c", r.path};
    std::vector<char*> argv, environment;
    std::vector<std::string> variables;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    for (const auto& [name, value] : r.environment) variables.push_back(name + "=" + value);
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);

    pid_t child = ::fork();
    if (child < 0) return fail_act(act, "fork");
    if (child == 0) {
        ::setsid();
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::signal(SIGPIPE, SIG_DFL);
        ::signal(SIGXFSZ, SIG_DFL);
        ::dup2(input_read.get(), STDIN_FILENO);
        ::dup2(output_write.get(), STDOUT_FILENO);
        ::dup2(output_write.get(), STDERR_FILENO);
        if (!r.directory.empty() && ::chdir(r.directory.c_str()) < 0) ::_exit(75);
        ::umask(077);
        ::execvpe(argv[0], argv.data(), environment.data());
        std::string text = fmt::format("local: fatal: execvp {}: {}\n", argv[0], std::strerror(errno));
        (void)!::write(STDERR_FILENO, text.data(), text.size());
        ::_exit(75);
    }
    input_read.reset();
    output_write.reset();

    // Feed and listen at the same time: a command may answer before it has read everything, or never read at all.
    pid_t feeder = ::fork();
    if (feeder == 0) {
        ::signal(SIGPIPE, SIG_DFL);
        ::_exit(Copy(act, input_write.get()).run() ? 0 : 1);
    }
    input_write.reset();
    auto end = base::steady_now() + std::chrono::seconds(r.time_limit > 0 ? r.time_limit : 1000);
    std::string text;
    bool is_late = false;
    for (;;) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - base::steady_now()).count();
        if (left <= 0) {
            is_late = true;
            break;
        }
        pollfd wait{output_read.get(), POLLIN, 0};
        if (::poll(&wait, 1, static_cast<int>(std::min<long>(left, 60000))) < 0 && errno != EINTR) break;
        if (!(wait.revents & (POLLIN | POLLHUP))) continue;
        char buffer[4096];
        ssize_t n = ::read(output_read.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (text.size() < 2048) text.append(buffer, std::min<std::size_t>(static_cast<std::size_t>(n), 2048 - text.size()));
    }
    int status = 0;
    for (;;) {
        if (base::steady_now() >= end) is_late = true;
        if (is_late) ::kill(-child, SIGKILL);
        pid_t got = ::waitpid(child, &status, is_late ? 0 : WNOHANG);
        if (got == child) break;
        if (got < 0 && errno != EINTR) break;
        if (got == 0) ::poll(nullptr, 0, 5);
    }
    if (feeder > 0) {
        ::kill(feeder, SIGKILL);
        ::waitpid(feeder, nullptr, 0);
    }
    act.answer.text = std::move(text);
    if (is_late) {
        act.answer.kind = HelperAnswer::Kind::timed_out;
    } else if (WIFSIGNALED(status)) {
        act.answer.kind = HelperAnswer::Kind::killed;
        act.answer.exit_status = WTERMSIG(status);
    } else {
        act.answer.kind = HelperAnswer::Kind::exited;
        act.answer.exit_status = WEXITSTATUS(status);
    }
}

}  // namespace ekiden::deliver
