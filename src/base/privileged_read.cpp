#include "base/privileged_read.hpp"

#include <cerrno>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ekiden::base {

namespace {

static_assert(CAP_DAC_READ_SEARCH < 32 && CAP_DAC_OVERRIDE < 32);

// Of the calling thread: the raw calls work on one thread, where a library might spread the change to all.
struct Rights {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};

    bool get() { return syscall(SYS_capget, &header, data) == 0; }
    bool set() { return syscall(SYS_capset, &header, data) == 0; }
    std::optional<int> reading() const
    {
        for (int capability : {CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE}) {
            if (data[0].permitted & (1U << capability)) return capability;
        }
        return std::nullopt;
    }
};

}  // namespace

std::optional<int> reading_capability()
{
    Rights rights;
    return rights.get() ? rights.reading() : std::nullopt;
}

PrivilegedRead::PrivilegedRead()
{
    const int saved = errno;
    Rights rights;
    if (rights.get()) {
        const auto capability = rights.reading();
        const unsigned bit = capability ? 1U << *capability : 0;
        if (bit && !(rights.data[0].effective & bit)) {
            rights.data[0].effective |= bit;
            if (rights.set()) raised_ = *capability;
        }
    }
    errno = saved;
}

PrivilegedRead::~PrivilegedRead()
{
    if (raised_ < 0) return;
    const int saved = errno;  // callers look at errno of the open after the guard is gone
    Rights rights;
    if (rights.get()) {
        rights.data[0].effective &= ~(1U << raised_);
        rights.set();
    }
    errno = saved;
}

}  // namespace ekiden::base
