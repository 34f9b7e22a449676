// Maildirs of many users through one process: each file is its user's, and nobody goes where he could not go himself.
#include "unit/deliver/helper/running_helper.hpp"

#include <set>
#include <vector>

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
        for (int i = 0; i < 5; ++i) ASSERT_EQ(ask(maildir(user, path)).kind, Answer::done);   // the last ones by a worker of his own
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

TEST_F(crowd, first_messages_may_come_together)
{
    asio::io_context& context = ekiden::test::loop();
    for (uid_t user = 21000; user < 21040; ++user) {
        std::string path = home_of(user);
        int done = 0, answered = 0;
        for (int i = 0; i < 5; ++i) {
            asio::co_spawn(context, helper->ask(maildir(user, path + "/deep/down"), Fd()), [&](std::exception_ptr, Result<HelperAnswer> answer) {
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

}  // namespace
}  // namespace ekiden::deliver
