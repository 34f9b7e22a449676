// Maildirs of many users through one process: each file is its user's, and nobody goes where he could not go himself.
#include "unit/deliver/helper/running_helper.hpp"

#include <cerrno>
#include <map>
#include <set>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>

namespace ekiden::deliver {
namespace {

using Kind = HelperRequest::Kind;
using Answer = HelperAnswer::Kind;

class crowd : public test::RunningHelper {
protected:
    void SetUp() override
    {
        if (::geteuid() != 0) GTEST_SKIP() << "needs other users";
        RunningHelper::SetUp();
    }
    void TearDown() override
    {
        if (::geteuid() == 0) RunningHelper::TearDown();
    }
    std::string home_of(uid_t user)
    {
        std::string path = folder + "/" + std::to_string(user);
        EXPECT_EQ(::mkdir(path.c_str(), 0700), 0);
        EXPECT_EQ(::chown(path.c_str(), user, user), 0);
        return path;
    }
    HelperRequest maildir(uid_t user, const std::string& home_folder)
    {
        HelperRequest r = request(Kind::maildir, home_folder + "/Maildir/");
        r.uid = r.gid = user;
        r.content = "Subject: for " + std::to_string(user) + "\n\n";
        return r;
    }
};

TEST_F(crowd, each_file_is_its_users)
{
    std::set<std::string> names;
    for (uid_t user = 20000; user < 20060; ++user) {
        std::string path = home_of(user);
        for (int i = 0; i < 5; ++i) ASSERT_EQ(ask(maildir(user, path)).kind, Answer::done);
        for (const auto& entry : std::filesystem::directory_iterator(path + "/Maildir/new")) {
            struct stat info{};
            ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
            EXPECT_EQ(info.st_uid, user);
            EXPECT_EQ(info.st_gid, user);
            EXPECT_EQ(info.st_mode & 07777, 0600u);
            EXPECT_EQ(test::read_text(entry.path()), "Subject: for " + std::to_string(user) + "\n\n");
            names.insert(entry.path());
        }
        EXPECT_TRUE(std::filesystem::is_empty(path + "/Maildir/tmp"));
    }
    EXPECT_EQ(names.size(), 300u);
}

TEST_F(crowd, who_gets_much_has_a_worker_of_his_own)
{
    std::string path = home_of(20001);
    for (int i = 0; i < 200; ++i) ASSERT_EQ(ask(maildir(20001, path)).kind, Answer::done);
    auto files = std::filesystem::directory_iterator(path + "/Maildir/new");
    EXPECT_EQ(std::distance(begin(files), end(files)), 200);
    EXPECT_TRUE(std::filesystem::is_empty(path + "/Maildir/tmp"));
}

TEST_F(crowd, first_messages_may_come_together)
{
    asio::io_context& context = ekiden::test::loop();
    for (uid_t user = 21000; user < 21040; ++user) {
        std::string path = home_of(user);
        int done = 0, answered = 0;
        for (int i = 0; i < 5; ++i) {
            asio::co_spawn(context, helper->ask(maildir(user, path + "/deep/down"), Fd()),
                           [&](std::exception_ptr, Result<HelperAnswer> answer) {
                               ++answered;
                               done += answer && answer->kind == Answer::done;
                           });
        }
        context.restart();
        auto keep_running = asio::make_work_guard(context);
        while (answered < 5 && context.run_one_for(std::chrono::seconds(60)) > 0) {}
        ASSERT_EQ(answered, 5);
        EXPECT_EQ(done, 5) << "five messages, and the Maildir was not there";
    }
}

TEST_F(crowd, nobody_goes_where_he_may_not)
{
    std::string own = home_of(20001), others = home_of(20002);
    EXPECT_EQ(ask(maildir(20001, others)).os_error, EACCES);
    EXPECT_FALSE(std::filesystem::exists(others + "/Maildir"));
    // Root's own groups, and whatever the one before had, are not his.
    std::string shared = folder + "/shared";
    ASSERT_EQ(::mkdir(shared.c_str(), 0), 0);
    for (gid_t group : {gid_t{0}, gid_t{20002}}) {
        ASSERT_EQ(::chown(shared.c_str(), 0, group), 0);
        ASSERT_EQ(::chmod(shared.c_str(), 0770), 0);
        EXPECT_EQ(ask(maildir(20001, shared)).os_error, EACCES);
        EXPECT_EQ(ask(maildir(20002, others)).kind, Answer::done);
    }
    // Coming back works: the next one is somebody else, with his rights and no more.
    EXPECT_EQ(ask(maildir(20001, own)).kind, Answer::done);
}

TEST_F(crowd, looks_for_files_with_the_users_eyes)
{
    std::string own = home_of(20001), others = home_of(20002);
    { std::ofstream(own + "/.forward") << "x\n"; }
    HelperRequest r = maildir(20001, own);
    r.unless = {own + "/.forward"};
    EXPECT_EQ(ask(r).kind, Answer::withheld);
    r.unless = {own + "/.forward+more", own + "/none"};
    EXPECT_EQ(ask(r).kind, Answer::done);
    // Where he may not look there is nothing for him, whatever root sees there.
    { std::ofstream(others + "/.forward") << "x\n"; }
    r.unless = {others + "/.forward"};
    EXPECT_EQ(ask(r).kind, Answer::done);
}

// A user's own file system (FUSE) that never answers holds up his mail, and nobody else's.
TEST_F(crowd, waits_for_nobodys_own_file_system)
{
    const std::string silent = home_of(20003), other = home_of(20004);
    Fd fuse(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    const std::string options =
        "fd=" + std::to_string(fuse.get()) + ",rootmode=40000,user_id=20003,group_id=20003,allow_other";
    if (!fuse || ::mount("silent", silent.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
        GTEST_SKIP() << "no FUSE here";

    asio::io_context& context = ekiden::test::loop();
    context.restart();
    int answered = 0;
    std::map<int, int> failures;   // of the silent one's mail, by errno
    auto on_answer = [&](std::exception_ptr, Result<HelperAnswer> answer) {
        ++answered;
        if (answer && answer->kind == Answer::failed) ++failures[answer->os_error];
    };
    // More than the crowd has threads; a group each, or a worker of his own would take them.
    for (gid_t group = 30000; group < 30140; ++group) {
        HelperRequest r = maildir(20003, silent);
        r.gid = group;
        asio::co_spawn(context, helper->ask(std::move(r), Fd()), on_answer);
    }
    std::optional<Answer> others;
    asio::co_spawn(
        context, helper->ask(maildir(20004, other), Fd()),
        [&](std::exception_ptr, Result<HelperAnswer> answer) { others = answer ? answer->kind : Answer::failed; });
    auto keep_running = asio::make_work_guard(context);
    while (!others && context.run_one_for(std::chrono::seconds(10)) > 0) {}
    EXPECT_EQ(others, Answer::done) << "somebody else's mail";
    ::umount2(silent.c_str(), MNT_DETACH);
    fuse.reset();    // everybody is told that it is gone
    while (answered < 140 && context.run_one_for(std::chrono::seconds(60)) > 0) {}
    EXPECT_EQ(answered, 140);
    EXPECT_EQ(failures[EAGAIN], 40) << "more of one user than the crowd keeps";
}

}  // namespace
}  // namespace ekiden::deliver
