#include "daemon/privileges.hpp"

#include "base/privileged_read.hpp"
#include "base/text.hpp"

#include <cerrno>
#include <cstdlib>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ekiden::daemon {

Result<void> become_engine(const Owner& owner)
{
    if (!owner.is_root) return {};
    const auto reading = base::reading_capability();
    if (::prctl(PR_SET_KEEPCAPS, 1) < 0) return fail(Error::from_errno("prctl(PR_SET_KEEPCAPS)"));
    gid_t groups[] = {owner.setgid_group};
    if (::setgroups(1, groups) < 0) return fail(Error::from_errno("setgroups"));
    if (::setresgid(owner.gid, owner.gid, owner.gid) < 0) return fail(Error::from_errno("setresgid"));
    if (::setresuid(owner.uid, owner.uid, owner.uid) < 0) return fail(Error::from_errno("setresuid"));

    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    // A container may have none to give: then what only root may read cannot be read after the start, nothing worse.
    if (reading) data[0].permitted = 1u << *reading;
    if (::syscall(SYS_capset, &header, data) < 0) return fail(Error::from_errno("capset"));
    if (::prctl(PR_SET_KEEPCAPS, 0) < 0) return fail(Error::from_errno("prctl(PR_SET_KEEPCAPS)"));
    // Changing uids clears "dumpable"; /proc/self must stay readable for mail_owner's own tools.
    ::prctl(PR_SET_DUMPABLE, 0);
    return {};
}

Result<void> forbid_programs()
{
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail(Error::from_errno("prctl(PR_SET_NO_NEW_PRIVS)"));
    scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) return fail(ErrorCode::system, "seccomp_init failed");
    static constexpr int forbidden[] = {
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(chroot),
        SCMP_SYS(pivot_root),
        SCMP_SYS(init_module),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(kexec_load),
        SCMP_SYS(bpf),
        SCMP_SYS(keyctl),
    };
    int error = 0;
    for (int call : forbidden) {
        if (error == 0) error = ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
    }
    if (error == 0) error = ::seccomp_load(filter);
    ::seccomp_release(filter);
    if (error < 0) return fail(Error::from_errno(-error, "seccomp"));
    return {};
}

void import_environment(const config::Settings& settings)
{
    std::vector<std::pair<std::string, std::string>> kept;
    for (const std::string& item : settings.list("import_environment")) {
        std::string word = item;
        if (word.starts_with('{') && word.ends_with('}'))
            word = std::string(base::trim(std::string_view(word).substr(1, word.size() - 2)));
        if (std::size_t equals = word.find('='); equals != word.npos) {
            kept.emplace_back(base::trim(std::string_view(word).substr(0, equals)),
                              base::trim(std::string_view(word).substr(equals + 1)));
        } else if (const char* value = std::getenv(word.c_str())) {
            kept.emplace_back(word, value);
        }
    }
    ::clearenv();
    for (const auto& [name, value] : kept) ::setenv(name.c_str(), value.c_str(), 1);
}

AsOwner::AsOwner(const Owner& owner) : is_root_(owner.is_root)
{
    if (!is_root_) return;
    ::setfsgid(owner.gid);
    ::setfsuid(owner.uid);
}

AsOwner::~AsOwner()
{
    if (!is_root_) return;
    ::setfsuid(0);
    ::setfsgid(0);
}

void raise_descriptor_limit()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace ekiden::daemon
