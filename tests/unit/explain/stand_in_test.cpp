// What stands where the helper stands: it writes and runs nothing, tells what would be, and reads what is there.
#include "explain/recorder.hpp"
#include "explain/stand_in.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <unistd.h>

namespace ekiden::explain {
namespace {

using deliver::HelperAnswer;
using deliver::HelperRequest;

class StandInTest : public testing::Test {
protected:
    StandInTest() : recorder_(false), recording_(recorder_)
    {
        char name[] = "/tmp/ekiden-stand-in-XXXXXX";
        folder_ = ::mkdtemp(name);
        auto started = StandIn::start();
        if (started) stand_in_ = std::move(*started);
    }
    ~StandInTest() override { std::filesystem::remove_all(folder_); }

    HelperAnswer ask(HelperRequest request)
    {
        if (request.uid == 0) {
            request.uid = ::geteuid();
            request.gid = ::getegid();
        }
        HelperAnswer answer;
        asio::io_context context;
        asio::co_spawn(context, stand_in_->helper().ask(std::move(request), Fd()),
                       [&](std::exception_ptr, Result<HelperAnswer> got) {
                           ASSERT_TRUE(got) << got.error().text();
                           answer = std::move(*got);
                       });
        context.run();
        return answer;
    }

    Recorder recorder_;
    Recording recording_;
    std::string folder_;
    std::unique_ptr<StandIn> stand_in_;
};

TEST_F(StandInTest, WritesNoMailbox)
{
    ASSERT_TRUE(stand_in_);
    HelperRequest request;
    request.kind = HelperRequest::Kind::maildir;
    request.path = folder_ + "/Maildir/";
    request.content = "Subject: x\n\n";
    EXPECT_EQ(ask(request).kind, HelperAnswer::Kind::done);
    request.kind = HelperRequest::Kind::mailbox;
    request.path = folder_ + "/mbox";
    EXPECT_EQ(ask(request).kind, HelperAnswer::Kind::done);
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    const auto events = recorder_.take();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].name, "maildir");
    EXPECT_EQ(events[0].where, folder_ + "/Maildir/");
    EXPECT_EQ(events[1].name, "mailbox");
}

TEST_F(StandInTest, SaysWhereTheUserMayNotWrite)
{
    ASSERT_TRUE(stand_in_);
    HelperRequest request;
    request.uid = request.gid = 65534;
    request.kind = HelperRequest::Kind::maildir;
    request.path = folder_ + "/home/Maildir/";
    const auto written = [&] {
        ask(request);
        const auto events = recorder_.take();
        return events.size() == 1 ? events[0].value : "?";
    };
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    const bool is_nobody = ::geteuid() == 65534;
    EXPECT_EQ(written(), is_nobody ? "" : "this user may not make files in " + folder_);
    std::filesystem::permissions(folder_, std::filesystem::perms(0777));
    EXPECT_EQ(written(), "");
    request.kind = HelperRequest::Kind::mailbox;
    request.path = folder_ + "/mbox";
    std::ofstream(request.path) << "";
    std::filesystem::permissions(request.path, std::filesystem::perms(0644));
    EXPECT_EQ(written(), is_nobody ? "" : "this user may not write to " + request.path);
    request.is_in_spool = true;
    EXPECT_EQ(written(), "");
}

TEST_F(StandInTest, HasTheFilesOfAUserLookedAtOneByOne)
{
    ASSERT_TRUE(stand_in_);
    HelperRequest request;
    request.kind = HelperRequest::Kind::mailbox;
    request.path = folder_ + "/mbox";
    request.unless = {folder_ + "/.forward"};
    EXPECT_EQ(ask(request).kind, HelperAnswer::Kind::withheld);
    EXPECT_TRUE(recorder_.take().empty());
}

TEST_F(StandInTest, RunsNoCommand)
{
    ASSERT_TRUE(stand_in_);
    HelperRequest request;
    request.kind = HelperRequest::Kind::command;
    request.path = "touch " + folder_ + "/made";
    const HelperAnswer answer = ask(request);
    EXPECT_EQ(answer.kind, HelperAnswer::Kind::exited);
    EXPECT_EQ(answer.exit_status, 0);
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    const auto events = recorder_.take();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].value, request.path);
}

TEST_F(StandInTest, ReadsWhatIsThere)
{
    ASSERT_TRUE(stand_in_);
    std::ofstream(folder_ + "/.forward") << "elsewhere@example.test\n";
    HelperRequest request;
    request.kind = HelperRequest::Kind::read_file;
    request.path = folder_ + "/.forward";
    const HelperAnswer answer = ask(request);
    EXPECT_EQ(answer.kind, HelperAnswer::Kind::done);
    EXPECT_EQ(answer.text, "elsewhere@example.test\n");
    request.path = folder_ + "/nothing";
    EXPECT_EQ(ask(request).kind, HelperAnswer::Kind::failed);
    const auto events = recorder_.take();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].value, "is there");
    EXPECT_EQ(events[1].value, "is not there");
}

}  // namespace
}  // namespace ekiden::explain
