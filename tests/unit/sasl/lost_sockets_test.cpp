#include "sasl/lost_sockets.hpp"

#include "base/fd.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

using namespace std::chrono_literals;

// A server's socket with a name, and connections to it.
class Named {
public:
    Named()
    {
        const std::string path = "/tmp/ekiden-lost-" + std::to_string(::getpid());
        std::filesystem::remove(path);
        std::memcpy(address_.sun_path, path.c_str(), path.size() + 1);
        listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
        EXPECT_EQ(::listen(listener_.get(), 10), 0);
    }
    ~Named() { std::filesystem::remove(address_.sun_path); }
    int connect() // an end that nobody owns
    {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
        return fd;
    }
    Fd accept() { return Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

private:
    sockaddr_un address_{.sun_family = AF_UNIX, .sun_path = {}};
    Fd listener_;
};

bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(LostSockets, WhatWasHungUpOnForLongIsClosedAndNothingElse)
{
    Named server;
    const int lost = server.connect();
    server.accept().reset();
    const int living = server.connect();
    const Fd other_end = server.accept();
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    const Fd nameless(pair[0]);
    Fd(pair[1]).reset();

    const SteadyTime start = base::steady_now();
    LostSockets sockets(60s);
    EXPECT_EQ(sockets.close_lost(start), 0u);
    EXPECT_EQ(sockets.close_lost(start + 59s), 0u);
    EXPECT_TRUE(is_open(lost));
    EXPECT_EQ(sockets.close_lost(start + 60s), 1u);
    EXPECT_FALSE(is_open(lost));
    for (const int fd : {living, other_end.get(), nameless.get()}) EXPECT_TRUE(is_open(fd));
    ::close(living);
}

TEST(LostSockets, AnotherSocketOfTheSameNumberHasItsOwnTime)
{
    Named server;
    const int former = server.connect();
    server.accept().reset();
    const SteadyTime start = base::steady_now();
    LostSockets sockets(60s);
    EXPECT_EQ(sockets.close_lost(start), 0u);
    // Another one takes the number while the former is still open somewhere: its inode cannot be the same.
    const int kept = ::fcntl(former, F_DUPFD_CLOEXEC, 500);
    ::close(former);
    const int later = server.connect();
    server.accept().reset();
    ASSERT_EQ(later, former);
    EXPECT_EQ(sockets.close_lost(start + 61s), 0u);
    EXPECT_TRUE(is_open(later));
    EXPECT_EQ(sockets.close_lost(start + 121s), 2u);
    EXPECT_FALSE(is_open(later));
    EXPECT_FALSE(is_open(kept));
}

}  // namespace
}  // namespace ekiden::sasl
