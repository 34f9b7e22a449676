#include "base/privileged_read.hpp"

#include "base/fd.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace ekiden::base {
namespace {

struct Seen {
    bool has_right = false, before = true, within = false, nested = false, after = true;
};

constexpr unsigned readers = (1U << CAP_DAC_READ_SEARCH) | (1U << CAP_DAC_OVERRIDE);

// By a thread that is left with none of the two but `capability`, and that not in force.
Seen look(const char* path, int capability)
{
    Seen seen;
    // Capabilities belong to a thread: this one gives them up, the test's own keeps them.
    std::thread([&] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
        if (::syscall(SYS_capget, &header, data) != 0) return;
        seen.has_right = (data[0].permitted & (1U << capability)) != 0;
        data[0].effective &= ~readers;
        data[0].inheritable &= ~readers;
        data[0].permitted &= ~(readers & ~(1U << capability));
        if (::syscall(SYS_capset, &header, data) != 0) return;
        const auto can_read = [&] { return static_cast<bool>(Fd(::open(path, O_RDONLY | O_CLOEXEC))); };
        seen.before = can_read();
        {
            PrivilegedRead guard;
            seen.within = can_read();
            { PrivilegedRead inner; }
            seen.nested = can_read();
        }
        seen.after = can_read();
    }).join();
    return seen;
}

TEST(privileged_read, raises_the_right_for_its_own_life_only)
{
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make a file that only somebody else may read";
    char path[] = "/tmp/ekiden-privileged.XXXXXX";
    Fd file(::mkstemp(path));
    ASSERT_TRUE(file);
    ASSERT_EQ(::fchown(file.get(), 1, 1), 0);
    ASSERT_EQ(::fchmod(file.get(), 0600), 0);
    int tried = 0;
    // The second is what a container has.
    for (int capability : {CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE}) {
        const Seen seen = look(path, capability);
        if (!seen.has_right) continue;
        ++tried;
        EXPECT_FALSE(seen.before) << capability;
        EXPECT_TRUE(seen.within) << capability;
        EXPECT_TRUE(seen.nested) << capability;
        EXPECT_FALSE(seen.after) << capability;
    }
    ::unlink(path);
    if (tried == 0) GTEST_SKIP() << "this root may not read other users' files";
}

}  // namespace
}  // namespace ekiden::base
