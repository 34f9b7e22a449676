#include "daemon/layout.hpp"

#include "config/checks.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

enum class Who { root, mail_owner };

struct Folder {
    const char* name;
    Who owner;
    bool has_setgid_group;
    mode_t mode;
};

// The fourteen directories of Postfix's queue (others' programs look for them), and ours.
constexpr Folder folders[] = {
    {"active", Who::mail_owner, false, 0700},   {"bounce", Who::mail_owner, false, 0700},  {"corrupt", Who::mail_owner, false, 0700},
    {"defer", Who::mail_owner, false, 0700},    {"deferred", Who::mail_owner, false, 0700}, {"flush", Who::mail_owner, false, 0700},
    {"hold", Who::mail_owner, false, 0700},     {"incoming", Who::mail_owner, false, 0700}, {"log", Who::mail_owner, false, 0700},
    {"private", Who::mail_owner, false, 0700},  {"saved", Who::mail_owner, false, 0700},    {"trace", Who::mail_owner, false, 0700},
    {"pid", Who::root, false, 0755},            {"public", Who::mail_owner, true, 0710},    {"maildrop", Who::mail_owner, true, 0730},
};

Result<void> make_folder(const std::string& path, uid_t uid, gid_t gid, mode_t mode, bool sets_owner)
{
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) {
        if (!S_ISDIR(info.st_mode)) return fail(ErrorCode::refused, path + " is not a directory");
        return {};
    }
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST) return fail(Error::from_errno("mkdir", path));
    if (sets_owner && ::chown(path.c_str(), uid, gid) < 0) return fail(Error::from_errno("chown", path));
    if (::chmod(path.c_str(), mode) < 0) return fail(Error::from_errno("chmod", path));
    return {};
}

Result<void> make_with_parents(const std::string& path, mode_t mode)
{
    for (std::size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1)) {
        std::string parent = path.substr(0, slash);
        if (::mkdir(parent.c_str(), 0755) < 0 && errno != EEXIST) return fail(Error::from_errno("mkdir", parent));
    }
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST) return fail(Error::from_errno("mkdir", path));
    return {};
}

}  // namespace

Result<Owner> find_owner(const config::Settings& settings)
{
    Owner owner;
    owner.is_root = ::geteuid() == 0;
    if (!owner.is_root) {
        owner.uid = ::geteuid();
        owner.gid = owner.setgid_group = ::getegid();
        return owner;
    }
    try {
        config::check_owner(settings);
    } catch (const config::ConfigError& fault) {
        return fail(ErrorCode::refused, fault.what());
    }
    const passwd* entry = ::getpwnam(settings.str("mail_owner").c_str());
    const ::group* drop = ::getgrnam(settings.str("setgid_group").c_str());
    if (!entry || !drop) return fail(ErrorCode::unavailable, "mail_owner or setgid_group: the account is gone");
    owner.uid = entry->pw_uid;
    owner.gid = entry->pw_gid;
    owner.setgid_group = drop->gr_gid;
    return owner;
}

std::vector<std::string> find_wrong_rights(const config::Settings& settings, const Owner& owner)
{
    constexpr std::size_t most_files = 10000;
    std::vector<std::string> problems;
    if (!owner.is_root) return problems;
    auto look = [&](const std::string& path, uid_t uid, std::string_view user, bool may_others_write) {
        struct stat info{};
        if (::lstat(path.c_str(), &info) != 0 || S_ISLNK(info.st_mode)) return;
        if (info.st_uid != uid) problems.push_back(fmt::format("not owned by {}: {}", user, path));
        if (!may_others_write && (info.st_mode & (S_IWGRP | S_IWOTH)))
            problems.push_back(fmt::format("group or other writable: {}", path));
    };
    // Who can write here can become anybody the mail system can become.
    const std::string directory = settings.directory() + "/.";
    look(directory, 0, "root", false);
    std::error_code trouble;
    std::filesystem::recursive_directory_iterator files(directory, trouble);
    for (std::size_t count = 0; !trouble && files != std::filesystem::end(files) && count < most_files;
         files.increment(trouble), ++count) {
        look(files->path(), 0, "root", false);
    }
    const std::string queue = settings.str("queue_directory"), mail_owner = settings.str("mail_owner");
    look(queue, 0, "root", false);
    for (const Folder& folder : folders) {
        const bool is_roots = folder.owner == Who::root;
        look(queue + "/" + folder.name, is_roots ? 0 : owner.uid, is_roots ? "root" : mail_owner,
             folder.has_setgid_group);
    }
    if (const std::string data = settings.str("data_directory"); !data.empty())
        look(data + "/.", owner.uid, mail_owner, false);
    return problems;
}

Result<void> make_directories(const config::Settings& settings, const Owner& owner)
{
    std::string queue = settings.str("queue_directory"), data = settings.str("data_directory");
    EKIDEN_TRY(make_with_parents(queue, 0755));
    for (const Folder& folder : folders) {
        uid_t uid = folder.owner == Who::root ? 0 : owner.uid;
        gid_t gid = folder.has_setgid_group ? owner.setgid_group : folder.owner == Who::root ? 0 : owner.gid;
        // Without root there is no other group to let in; the caller's own processes are all there is.
        EKIDEN_TRY(make_folder(queue + "/" + folder.name, uid, gid, folder.mode, owner.is_root));
    }
    if (!data.empty()) {
        std::string parent = data.substr(0, data.rfind('/'));
        if (!parent.empty()) EKIDEN_TRY(make_with_parents(parent, 0755));
        EKIDEN_TRY(make_folder(data, owner.uid, owner.gid, 0700, owner.is_root));
    }
    return {};
}

}  // namespace ekiden::daemon
