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

TEST(privileged_read, raises_the_right_for_its_own_life_only)
{
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make a file that only somebody else may read";
    char path[] = "/tmp/ekiden-privileged.XXXXXX";
    Fd file(::mkstemp(path));
    ASSERT_TRUE(file);
    ASSERT_EQ(::fchown(file.get(), 1, 1), 0);
    ASSERT_EQ(::fchmod(file.get(), 0600), 0);
    bool before = true, within = false, nested = false, after = true;
    bool has_right = false;
    // Capabilities belong to a thread: this one gives them up, the test's own keeps them.
    std::thread([&] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
        if (::syscall(SYS_capget, &header, data) != 0) return;
        has_right = (data[0].permitted & (1U << CAP_DAC_READ_SEARCH)) != 0;
        data[0].effective &= ~((1U << CAP_DAC_READ_SEARCH) | (1U << CAP_DAC_OVERRIDE));
        if (::syscall(SYS_capset, &header, data) != 0) return;
        const auto can_read = [&] { return static_cast<bool>(Fd(::open(path, O_RDONLY | O_CLOEXEC))); };
        before = can_read();
        {
            PrivilegedRead guard;
            within = can_read();
            { PrivilegedRead inner; }
            nested = can_read();
        }
        after = can_read();
    }).join();
    ::unlink(path);
    if (!has_right) GTEST_SKIP() << "this root may not read other users' files";
    EXPECT_FALSE(before);
    EXPECT_TRUE(within);
    EXPECT_TRUE(nested);
    EXPECT_FALSE(after);
}

}  // namespace
}  // namespace ekiden::base
