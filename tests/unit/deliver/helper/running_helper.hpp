// A real helper process and a loop to ask it from. As root it becomes other users; else it serves the caller.
#pragma once

#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"
#include "support/run_task.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::deliver::test {

inline std::string read_text(const std::string& path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

class RunningHelper : public testing::Test {
protected:
    void SetUp() override
    {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            ::_exit(run_helper(ends[1]));
        }
        ::close(ends[1]);
        helper = std::make_unique<Helper>(Fd(ends[0]));
        char pattern[] = "/tmp/ekiden_helper_XXXXXX";
        folder = mkdtemp(pattern);
        uid = ::geteuid() == 0 ? 65534 : ::geteuid();
        gid = ::geteuid() == 0 ? 65534 : ::getegid();
        if (::geteuid() == 0) {
            ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
            home = folder + "/home";
            ASSERT_EQ(::mkdir(home.c_str(), 0700), 0);
            ASSERT_EQ(::chown(home.c_str(), uid, gid), 0);
        } else {
            home = folder;
        }
    }
    void TearDown() override
    {
        helper.reset();
        int status = 0;
        if (pid_ > 0) {
            EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
            EXPECT_EQ(status, 0) << "the helper ends with its channel";
        }
        if (!folder.empty()) std::filesystem::remove_all(folder);
    }

    template <class T>
    T run(Task<T> task)
    {
        return ekiden::test::run_task(std::move(task));
    }
    HelperAnswer ask(HelperRequest request, Fd content = {})
    {
        auto answer = run(helper->ask(std::move(request), std::move(content)));
        EXPECT_TRUE(answer) << (answer ? "" : answer.error().text());
        return answer ? std::move(*answer) : HelperAnswer();
    }
    HelperRequest request(HelperRequest::Kind kind, std::string path) const
    {
        HelperRequest r;
        r.kind = kind;
        r.uid = uid;
        r.gid = gid;
        r.path = std::move(path);
        r.host_name = "host";
        return r;
    }

    std::unique_ptr<Helper> helper;
    std::string folder, home;
    std::uint32_t uid = 0, gid = 0;

private:
    pid_t pid_ = -1;
};

}  // namespace ekiden::deliver::test
