#include "base/privileged_read.hpp"

#include <cerrno>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ekiden::base {

namespace {

constexpr unsigned bit = 1U << (CAP_DAC_READ_SEARCH % 32);
constexpr int word = CAP_DAC_READ_SEARCH / 32;

// Changes the bit in the calling thread's effective set; answers whether it changed. The raw calls work on one
// thread, where a library might spread the change to all.
bool change_effective(bool is_wanted)
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    if (syscall(SYS_capget, &header, data) != 0) return false;
    const bool is_set = (data[word].effective & bit) != 0;
    if (is_set == is_wanted) return false;
    if (is_wanted && (data[word].permitted & bit) == 0) return false;
    data[word].effective ^= bit;
    return syscall(SYS_capset, &header, data) == 0;
}

}  // namespace

PrivilegedRead::PrivilegedRead()
{
    const int saved = errno;
    is_raised_ = change_effective(true);
    errno = saved;
}

PrivilegedRead::~PrivilegedRead()
{
    if (!is_raised_) return;
    const int saved = errno;  // callers look at errno of the open after the guard is gone
    change_effective(false);
    errno = saved;
}

}  // namespace ekiden::base
