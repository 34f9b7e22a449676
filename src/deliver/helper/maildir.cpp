#include "deliver/helper/maildir.hpp"

#include "base/clock.hpp"
#include "deliver/helper/copy.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

// Missing folders are made with mode 0700, parents too, as the user, and made durable: a message in a folder that a
// crash takes away is lost.
bool make_folders(const std::string& path)
{
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return S_ISDIR(info.st_mode) || (errno = ENOTDIR, false);
    if (errno != ENOENT) return false;
    std::size_t slash = path.rfind('/');
    std::string parent = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    if (slash != path.npos && slash > 0 && !make_folders(parent)) return false;
    if (::mkdir(path.c_str(), 0700) < 0) return errno == EEXIST;
    // The user need not be able to read the parent; then the system's own order has to do.
    (void)base::sync_folder(parent).has_value();
    return true;
}

// new/ and tmp/, as the user; both on one file system, without which the file would never get its name.
bool open_folders(Act& act)
{
    constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    act.new_folder = Fd(::open(act.folder.c_str(), flags));
    if (!act.new_folder) return false;
    act.temporary_folder = Fd(::open((act.request.path + "/tmp").c_str(), flags));
    if (!act.temporary_folder) return false;
    struct stat first{}, second{};
    if (::fstat(act.new_folder.get(), &first) < 0 || ::fstat(act.temporary_folder.get(), &second) < 0) return false;
    return first.st_dev == second.st_dev || (errno = EXDEV, false);
}

bool open_temporary(Act& act)
{
    static std::atomic<unsigned long> counter = 0;
    std::string& path = act.request.path;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    act.folder = path + "/new";
    std::string name =
        fmt::format("{}.P{}Q{}.{}", base::to_seconds(base::wall_now()), ::getpid(), ++counter, act.request.host_name);
    const std::string shown = path + "/tmp/" + name;
    bool is_there = open_folders(act);
    if (!is_there && errno == ENOENT) {
        // tmp/ last: whoever finds it, a moment later, finds new/ as well.
        for (const char* part : {"/new", "/cur", "/tmp"}) {
            if (!make_folders(path + part)) return fail_act(act, "create maildir file", shown), false;
        }
        is_there = open_folders(act);
    }
    const int fd = is_there ? ::openat(act.temporary_folder.get(), name.c_str(),
                                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)
                            : -1;
    if (fd < 0) return fail_act(act, "create maildir file", shown), false;
    act.file = Fd(fd);
    act.temporary = std::move(name);   // only now: a name that somebody else made is not ours to remove
    return true;
}

bool write_temporary(Act& act)
{
    const HelperRequest& r = act.request;
    struct stat info{};
    if (act.content && ::fstat(act.content.get(), &info) < 0) return fail_act(act, "fstat"), false;
    std::uint64_t size = r.prefix.size() + (act.content ? static_cast<std::uint64_t>(info.st_size) : r.content.size());
    if (r.size_limit > 0 && size > r.size_limit) return errno = EFBIG, fail_act(act, "error writing message"), false;
    Copy copy(r, act.content, act.file.get());
    if (!copy.run()) return errno = copy.error(), fail_act(act, "error writing message"), false;
    return true;
}

bool give_name(Act& act)
{
    struct stat info{};
    if (::fstat(act.file.get(), &info) < 0) return fail_act(act, "fstat", act.folder), false;
    auto now = base::wall_now().time_since_epoch().count();
    for (int attempt = 0; attempt < 10; ++attempt) {
        // Postfix's form: time, device, inode, microseconds. Inodes are unique while the file exists, so the name is.
        std::string name = fmt::format("{}.V{:x}I{:x}M{:06d}.{}", now / 1000000, info.st_dev, info.st_ino,
                                       now % 1000000 + attempt, act.request.host_name);
        // link, not rename: a name that exists is never overwritten.
        if (::linkat(act.temporary_folder.get(), act.temporary.c_str(), act.new_folder.get(), name.c_str(), 0) == 0) {
            ::unlinkat(act.temporary_folder.get(), act.temporary.c_str(), 0);
            act.temporary.clear();
            return true;
        }
        if (errno != EEXIST) break;
    }
    return fail_act(act, "create maildir file", act.folder), false;
}

void clean_up(Act& act)
{
    if (!act.temporary.empty()) ::unlinkat(act.temporary_folder.get(), act.temporary.c_str(), 0);
    act.temporary.clear();
    act.file.reset();
    act.temporary_folder.reset();
    act.new_folder.reset();
}

}  // namespace

bool write_maildir_file(Act& act)
{
    bool is_written = open_temporary(act) && write_temporary(act);
    act.content.reset();
    std::string().swap(act.request.content);
    if (!is_written) clean_up(act);
    return is_written;
}

bool sync_maildir_file(Act& act)
{
    if (::fsync(act.file.get()) == 0) return name_maildir_file(act);
    drop_maildir_file(act, "fsync");
    return false;
}

bool name_maildir_file(Act& act)
{
    act.is_named = give_name(act);
    clean_up(act);
    return act.is_named;
}

void drop_maildir_file(Act& act, std::string step)
{
    fail_act(act, std::move(step), act.folder);
    clean_up(act);
}

void sync_maildir_folder(Act& act)
{
    if (auto done = base::sync_folder(act.folder); done) {
        act.answer.kind = HelperAnswer::Kind::done;
    } else {
        errno = done.error().os_error() ? done.error().os_error() : EIO;
        fail_act(act, "fsync", act.folder);
    }
}

void sync_maildir_folders(std::span<const std::unique_ptr<Act>> acts)
{
    std::map<std::string_view, int> synced;   // folder and what its sync said
    for (const auto& act : acts) {
        if (!act->is_named) continue;
        auto [at, is_first] = synced.try_emplace(act->folder, 0);
        if (is_first) {
            if (auto done = base::sync_folder(act->folder); !done)
                at->second = done.error().os_error() ? done.error().os_error() : EIO;
        }
        if (at->second == 0) {
            act->answer.kind = HelperAnswer::Kind::done;
        } else {
            errno = at->second;
            fail_act(*act, "fsync", act->folder);
        }
    }
}

}  // namespace ekiden::deliver
