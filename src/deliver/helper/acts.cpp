#include "deliver/helper/acts.hpp"

#include "base/clock.hpp"
#include "deliver/helper/channel.hpp"
#include "deliver/helper/copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

constexpr std::size_t read_limit = 48 << 10;   // of an answer's text; longer files come in pieces

std::string dotlock_of(const std::string& path) { return path + ".lock"; }

// The dotlock comes first, in the order that cannot deadlock with other mail programs. Its name, "" when none is needed
// (`trouble` is why it could not be made), or nothing after a failure.
bool make_dotlock(Act& act, SteadyTime give_up_at, std::string& dotlock, int& trouble)
{
    std::string name = dotlock_of(act.request.path);
    for (;;) {
        int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            ::close(fd);
            dotlock = name;
            return true;
        }
        // A folder in which the user makes no files: nobody who reads this mailbox can make a dotlock either, the kernel's
        // locks are what everybody there uses. A folder that is not there is noticed with the file itself.
        if (errno != EEXIST && (act.request.locks & 3)) return trouble = errno, true;
        if (errno != EEXIST) return fail_act(act, "unable to create lock file", name), false;
        struct stat info{};
        // Left behind by a program that died.
        if (::lstat(name.c_str(), &info) == 0 &&
            base::to_seconds(base::wall_now()) - info.st_mtime > act.request.stale_lock_limit &&
            ::unlink(name.c_str()) == 0)
            continue;
        if (base::steady_now() >= give_up_at)
            return errno = EEXIST, fail_act(act, "unable to create lock file", name), false;
        ::poll(nullptr, 0, 50);
    }
}

bool lock_file(Act& act, SteadyTime give_up_at)
{
    for (;;) {
        struct flock whole{};
        whole.l_type = F_WRLCK;
        whole.l_whence = SEEK_SET;
        bool is_locked = (!(act.request.locks & 1) || ::fcntl(act.file.get(), F_SETLK, &whole) == 0) &&
                         (!(act.request.locks & 2) || ::flock(act.file.get(), LOCK_EX | LOCK_NB) == 0);
        if (is_locked) return true;
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return fail_act(act, "unable to lock for exclusive access"), false;
        if (base::steady_now() >= give_up_at)
            return errno = EAGAIN, fail_act(act, "unable to lock for exclusive access"), false;
        ::poll(nullptr, 0, 10);
    }
}

// A link that only root can have put there: it is root's, in a folder of root's where nobody else makes names.
bool is_roots_link(const std::string& path)
{
    struct stat link{}, folder{};
    std::size_t slash = path.rfind('/');
    std::string parent = slash == path.npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
    return ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid == 0 &&
           ::stat(parent.c_str(), &folder) == 0 && folder.st_uid == 0 && !(folder.st_mode & (S_IWGRP | S_IWOTH));
}

// Opens the mailbox as what it is: never through a link that somebody else put there, never a second name of another
// file, never somebody else's file in a folder where everybody may make files. lock_trouble: errno of a dotlock that could
// not be made, which is what is told when the file cannot be made either.
bool open_mailbox(Act& act, bool& is_regular, int lock_trouble)
{
    const std::string& path = act.request.path;
    int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    act.file = Fd(::open(path.c_str(), flags | O_CREAT | O_NOFOLLOW, 0600));
    if (!act.file && errno == ELOOP) {
        bool may_follow = is_roots_link(path);
        if (may_follow) act.file = Fd(::open(path.c_str(), flags));
        struct stat target{};
        if (!act.file && !may_follow) errno = ::stat(path.c_str(), &target) < 0 ? errno : EACCES;
        if (!act.file) return fail_act(act, "cannot open file"), false;
    }
    // What may only be written (a drop box, /dev/null in some containers) need not be read.
    if (!act.file && errno == EACCES) {
        act.file = Fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
        if (!act.file) errno = EACCES;   // not "no such file": it may not be made
    }
    struct stat info{};
    if (!act.file) {
        int error = errno;
        bool is_new = ::lstat(path.c_str(), &info) < 0 && errno == ENOENT;
        if (is_new && lock_trouble)
            return errno = lock_trouble, fail_act(act, "unable to create lock file", dotlock_of(path)), false;
        return errno = error, fail_act(act, is_new ? "cannot create file exclusively" : "cannot open file"), false;
    }
    if (::fstat(act.file.get(), &info) < 0) return fail_act(act, "fstat", path), false;
    is_regular = S_ISREG(info.st_mode);
    ::fcntl(act.file.get(), F_SETFL, O_APPEND);   // writes wait again
    if (act.request.checks_owner && info.st_uid != act.request.uid) {
        act.answer.what = "owner";
        act.answer.os_error = EPERM;
        act.answer.text = fmt::format("destination {} is not owned by recipient", path);
        return false;
    }
    if (is_regular && info.st_nlink != 1) {
        errno = EMLINK;
        fail_act(act, "cannot open file");
        act.answer.text = fmt::format("file has {} hard links", info.st_nlink);
        return false;
    }
    return true;
}

// With root's rights a link could lead anywhere: then none is followed, and the file must be root's own.
Fd open_user_file(const std::string& path, bool is_root)
{
    open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    if (is_root) how.resolve = RESOLVE_NO_SYMLINKS;
    Fd file(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
    if (!file && errno == ENOSYS && !is_root) file = Fd(::open(path.c_str(), static_cast<int>(how.flags)));
    return file;
}

}  // namespace

std::unique_ptr<Act> receive_act(int requests, int engine)
{
    while (auto datagram = receive(requests, 0)) {
        auto request = decode_request(datagram->bytes);
        if (!request) continue;   // the dispatcher has decoded it already
        if (request->has_descriptor != bool(datagram->content)) {
            refuse(engine, request->number, "receive the message", EMFILE);
            continue;
        }
        auto act = std::make_unique<Act>();
        act->answer.number = request->number;
        act->request = std::move(*request);
        act->content = std::move(datagram->content);
        return act;
    }
    return nullptr;
}

void fail_act(Act& act, std::string what, std::string_view on)
{
    int error = errno;
    act.answer.kind = HelperAnswer::Kind::failed;
    act.answer.os_error = error;
    act.answer.text = Error::from_errno(error, what, on).text();
    act.answer.what = std::move(what);
}

void limit_file_size(std::uint64_t limit)
{
    ::signal(SIGXFSZ, SIG_IGN);   // the write says EFBIG instead
    rlimit now{};
    if (::getrlimit(RLIMIT_FSIZE, &now) < 0) return;
    now.rlim_cur = std::min<rlim_t>(limit, now.rlim_max);
    ::setrlimit(RLIMIT_FSIZE, &now);
}

void deliver_to_mailbox(Act& act)
{
    auto give_up_at = base::steady_now() + std::chrono::seconds(act.request.lock_limit);
    struct stat info{};
    bool is_device = ::lstat(act.request.path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
    std::string dotlock;
    bool is_regular = false;
    int lock_trouble = 0;
    if ((act.request.locks & 4) && !is_device && !make_dotlock(act, give_up_at, dotlock, lock_trouble)) return;
    if (open_mailbox(act, is_regular, lock_trouble) && (!is_regular || lock_file(act, give_up_at))) {
        off_t before = is_regular ? ::lseek(act.file.get(), 0, SEEK_END) : 0;
        if (act.request.size_limit > 0 && is_regular) limit_file_size(act.request.size_limit);
        Copy copy(act.request, act.content, act.file.get());
        int error = 0;
        if (before < 0) error = errno;
        else if (!copy.run()) error = copy.error();
        else if (is_regular && ::fsync(act.file.get()) < 0) error = errno;
        if (error == 0) {
            act.answer.kind = HelperAnswer::Kind::done;
            act.answer.size = static_cast<std::uint64_t>(before);
        } else {
            // Half a message in a mailbox would swallow the next one.
            if (is_regular && before >= 0) (void)!::ftruncate(act.file.get(), before);
            errno = error;
            fail_act(act, "error writing message");
        }
        // The name of a file made just now must survive as well.
        std::size_t slash = act.request.path.rfind('/');
        if (error == 0 && before == 0 && is_regular && slash != std::string::npos)
            (void)base::sync_folder(act.request.path.substr(0, std::max<std::size_t>(slash, 1))).has_value();
    }
    if (!dotlock.empty()) ::unlink(dotlock.c_str());
    act.file.reset();
}

bool is_withheld(Act& act)
{
    bool is_root = ::geteuid() == 0;
    for (const std::string& path : act.request.unless) {
        // Anything but a plain "not there" is for the agent to judge.
        struct stat info{};
        if (!open_user_file(path, is_root) && means_no_file(errno) && ::lstat(path.c_str(), &info) < 0) continue;
        act.answer.kind = HelperAnswer::Kind::withheld;
        return true;
    }
    return false;
}

void read_user_file(Act& act)
{
    const std::string& path = act.request.path;
    bool is_root = ::geteuid() == 0;
    Fd file = open_user_file(path, is_root);
    struct stat info{};
    if (act.request.refuses_link && ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode))
        return errno = EINVAL, fail_act(act, "not a regular file", path);
    if (!file) return fail_act(act, "open file", path);
    if (::fstat(file.get(), &info) < 0) return fail_act(act, "fstat", path);
    if (!S_ISREG(info.st_mode)) return errno = EINVAL, fail_act(act, "not a regular file", path);
    if (is_root && info.st_uid != 0) return errno = EACCES, fail_act(act, "open file", path);
    std::string text(read_limit, '\0');
    auto length = base::read_at(file.get(), text, static_cast<off_t>(act.request.offset));
    if (!length)
        return errno = length.error().os_error() ? length.error().os_error() : EIO, fail_act(act, "read file", path);
    text.resize(*length);
    HelperAnswer& answer = act.answer;
    answer.uid = info.st_uid;
    answer.gid = info.st_gid;
    answer.mode = info.st_mode & 07777;
    answer.size = static_cast<std::uint64_t>(info.st_size);
    answer.changed_at = static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
    answer.text = std::move(text);
    answer.kind = HelperAnswer::Kind::done;
}

}  // namespace ekiden::deliver
