#include "world.hpp"

#include "base/fd.hpp"
#include "mail/maildrop.hpp"
#include "receive/pickup.hpp"

#include <boost/asio/use_future.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::receive::test {
namespace {

namespace fs = std::filesystem;

class PickupTest : public testing::Test {
protected:
    PickupTest()
    {
        folder = world.directory + "/maildrop";
        fs::create_directory(folder);
        fs::create_directory(world.directory + "/corrupt");
        cores.start();
        pickup = std::make_unique<Pickup>(cores.at(0), pool, folder, world.intake);
    }
    ~PickupTest() override
    {
        run(pickup->stop());
        cores.stop();
    }
    void run(Task<void> task) { asio::co_spawn(cores.at(0).context(), std::move(task), asio::use_future).get(); }
    void collect() { run(pickup->collect()); }

    static std::string message(std::string sender = "alice", std::string original_id = "")
    {
        mail::Maildrop drop;
        drop.sender = std::move(sender);
        drop.full_name = "Alice";
        drop.original_id = std::move(original_id);
        drop.recipients.resize(2);
        drop.recipients[0].address = "bob";
        drop.recipients[1].address = "user1@golden.test";
        drop.recipients[1].notify = mail::notify_never;
        return mail::format(drop) + "Subject: hello\n\nbody\n";
    }
    void put(const std::string& name, const std::string& text) { std::ofstream(folder + "/" + name) << text; }
    bool is_there(const std::string& name) { return fs::exists(folder + "/" + name); }

    World world;
    std::string folder;
    net::Cores cores{1};
    net::BlockingPool pool{2};
    std::unique_ptr<Pickup> pickup;
};

TEST_F(PickupTest, submits_and_removes)
{
    put("A1", message());
    collect();
    ASSERT_EQ(world.store.committed.size(), 1u);
    const auto& envelope = world.store.committed[0].envelope;
    EXPECT_EQ(envelope.full_name, "Alice");
    EXPECT_EQ(envelope.recipients.size(), 2u);
    EXPECT_EQ(envelope.origin.rewrite_context, "local");
    EXPECT_FALSE(is_there("A1"));
    const auto log = world.log();
    ASSERT_EQ(log.size(), 1u);
    EXPECT_EQ(log[0], mail::format(envelope.id) + ": uid=" + std::to_string(::getuid()) + " from=<alice>");
}

TEST_F(PickupTest, many_at_once)
{
    for (int i = 0; i < 200; ++i) put("M" + std::to_string(i), message());
    collect();
    EXPECT_EQ(world.store.committed.size(), 200u);
    EXPECT_TRUE(fs::is_empty(folder));
}

TEST_F(PickupTest, says_where_a_requeued_message_comes_from)
{
    put("A1", message("a@b.test", "60EBA1280C7"));
    collect();
    ASSERT_EQ(world.store.committed.size(), 1u);
    EXPECT_EQ(world.store.committed[0].envelope.origin.log_ident, "60EBA1280C7");
    EXPECT_TRUE(world.log().at(0).ends_with(" from=<a@b.test> orig_id=60EBA1280C7"));
}

TEST_F(PickupTest, leaves_what_is_still_being_written)
{
    put(".A1", message());
    collect();
    EXPECT_TRUE(world.store.committed.empty());
    EXPECT_TRUE(is_there(".A1"));
}

TEST_F(PickupTest, sets_damaged_files_aside)
{
    put("A1", "not a maildrop file\n");
    put("A2", message().substr(0, 30));
    put("A3", message());
    ::link((folder + "/A3").c_str(), (folder + "/A4").c_str());
    collect();
    EXPECT_TRUE(world.store.committed.empty());
    EXPECT_TRUE(fs::is_empty(folder));
    for (auto name : {"A1", "A2"}) EXPECT_TRUE(fs::exists(world.directory + "/corrupt/" + name)) << name;
}

TEST_F(PickupTest, follows_no_link)
{
    std::ofstream(world.directory + "/elsewhere") << message();
    fs::create_symlink(world.directory + "/elsewhere", folder + "/A1");
    collect();
    EXPECT_TRUE(world.store.committed.empty());
    // Put aside, or every look at the folder would warn of it again.
    EXPECT_TRUE(fs::is_symlink(world.directory + "/corrupt/A1"));
    EXPECT_TRUE(fs::exists(world.directory + "/elsewhere"));
}

TEST_F(PickupTest, keeps_what_the_store_does_not_take)
{
    world.store.failure = ErrorCode::system;
    put("A1", message());
    collect();
    EXPECT_TRUE(is_there("A1"));
    collect();   // held off for a minute, so that a full disk is not hammered
    EXPECT_TRUE(is_there("A1"));
    EXPECT_TRUE(world.store.committed.empty());
}

}  // namespace
}  // namespace ekiden::receive::test
