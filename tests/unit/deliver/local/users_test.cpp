#include "deliver/local/users.hpp"

#include "net/blocking.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <pwd.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

Result<std::optional<User>> find(std::string name)
{
    asio::io_context context;
    net::BlockingPool pool(1);
    const table::Maps known = users_known_at_once();
    Result<std::optional<User>> found;
    asio::co_spawn(context, find_user(pool, known, std::move(name)),
                   [&](std::exception_ptr error, Result<std::optional<User>> answer) {
                       ASSERT_FALSE(error);
                       found = std::move(answer);
                   });
    context.run();
    return found;
}

}  // namespace

TEST(Users, ALineOfPasswdIsAUser)
{
    const auto user = parse_user("alice:x:1000:1001:Alice, room 7:/home/alice:/bin/bash");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->name, "alice");
    EXPECT_EQ(user->uid, 1000u);
    EXPECT_EQ(user->gid, 1001u);
    EXPECT_EQ(user->home, "/home/alice");
    EXPECT_EQ(user->shell, "/bin/bash");
    EXPECT_EQ(parse_user("alice:x:1000:1001:::")->home, "");
}

TEST(Users, WhatIsNoLineOfPasswdIsNoUser)
{
    for (const char* line : {"", "alice", "+nisuser::::::", "alice:x:1000:1001:Alice:/home/alice", "alice:x:-1:1:::",
                             "alice:x:4294967296:1:::", "alice:x: 1:1:::", ":x:1000:1001:::", "alice:x:1000::::"})
        EXPECT_FALSE(parse_user(line)) << line;
}

TEST(Users, WhoIsThereIsFoundAsTheSystemFindsHim)
{
    const passwd* root = ::getpwnam("root");
    ASSERT_TRUE(root);
    const std::string home = root->pw_dir, shell = root->pw_shell;
    const auto found = find("root");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->uid, 0u);
    EXPECT_EQ((*found)->home, home);
    EXPECT_EQ((*found)->shell, shell);
}

TEST(Users, WhoIsNotThereIsNobody)
{
    for (const char* name : {"no-such-user-here", "ROOT", ""}) {
        const auto found = find(name);
        ASSERT_TRUE(found) << name;
        EXPECT_FALSE(*found) << name;
    }
}

}  // namespace ekiden::deliver
