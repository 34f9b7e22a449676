// The loop in front of libsasl2, with logins that end, go on, or hang when the test says so.
#include "sasl/cyrus_server.hpp"
#include "sasl/cyrus_threads.hpp"

#include "net/listener.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

using namespace std::chrono_literals;
using Kind = CyrusReply::Kind;

// What hangs, until it is opened.
class Gate {
public:
    void pass()
    {
        std::unique_lock lock(mutex_);
        ++inside_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return is_open_; });
    }
    void wait_for(int inside)
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return inside_ >= inside; });
    }
    void open()
    {
        std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int inside_ = 0;
    bool is_open_ = false;
};

// The mechanism says what happens: PLAIN ends at once, ASK asks first, HANG hangs.
class ScriptedLogin final : public CyrusLogin {
public:
    ScriptedLogin(AuthRequest request, std::shared_ptr<Gate> gate)
        : mechanism_(std::move(request.mechanism)), gate_(std::move(gate))
    {
    }
    CyrusReply step(std::optional<Secret> response) override
    {
        if (mechanism_ == "HANG") gate_->pass();
        if (mechanism_ == "ASK" && std::exchange(is_first_, false)) return {Kind::challenge, "Pz8=", "", {}};
        if (response && response->view() == "good") return {Kind::success, "", "alice", {}};
        return {Kind::failure, "authentication failure", "alice", {"warning: SASL authentication failure: no"}};
    }

private:
    std::string mechanism_;
    std::shared_ptr<Gate> gate_;    // a thread may leave it when the test is over
    bool is_first_ = true;
};

class Client {
public:
    explicit Client(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        std::string line;
        while (line != "DONE" && line != "(end)") greeting_ += (line = read_line()) + "\n";
    }
    const std::string& greeting() const { return greeting_; }
    void say(std::string line)
    {
        line += '\n';
        EXPECT_EQ(::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL), static_cast<ssize_t>(line.size()));
    }
    std::string read_line()
    {
        std::string line;
        for (char c = 0;; line += c) {
            pollfd wait{socket_.get(), POLLIN, 0};
            if (::poll(&wait, 1, 20000) != 1) return "(silence)";
            if (::recv(socket_.get(), &c, 1, 0) != 1) return "(end)";
            if (c == '\n') return line;
        }
    }
    bool has_something(int milliseconds)
    {
        pollfd wait{socket_.get(), POLLIN, 0};
        return ::poll(&wait, 1, milliseconds) == 1;
    }
    std::string ask(std::string line)
    {
        say(std::move(line));
        return read_line();
    }

private:
    Fd socket_;
    std::string greeting_;
};

class CyrusServerTest : public testing::Test {
protected:
    CyrusServerTest()
    {
        options_.mechanisms = {{"PLAIN", plaintext, false}};
        options_.begin = [this](AuthRequest request) {
            return std::make_unique<ScriptedLogin>(std::move(request), gate_);
        };
    }
    ~CyrusServerTest() override
    {
        gate_->open();
        stop();
        std::filesystem::remove(path_);
    }
    void start()
    {
        auto listener = net::listen_unix(path_, 16, 0600);
        ASSERT_TRUE(listener);
        stop_ = Fd(::eventfd(0, EFD_CLOEXEC));
        server_ = std::make_unique<CyrusServer>(std::move(*listener), Fd(::dup(stop_.get())), options_);
        thread_ = std::thread([this] { end_ = server_->run(); });
    }
    void stop()
    {
        if (!thread_.joinable()) return;
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
        thread_.join();
    }

    base::FixedClock clock_{base::wall_now()};
    std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
    CyrusServerOptions options_;
    std::string path_ = std::filesystem::temp_directory_path() / ("ekiden-sasl-test-" + std::to_string(::getpid()));
    Fd stop_;
    std::unique_ptr<CyrusServer> server_;
    std::thread thread_;
    CyrusServer::End end_ = CyrusServer::End::stuck;
};

TEST_F(CyrusServerTest, GreetsAndAnswersManyAtOnce)
{
    start();
    Client client(path_);
    EXPECT_TRUE(client.greeting().starts_with("VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t")) << client.greeting();
    client.say("VERSION\t1\t1");
    client.say("CPID\t1");
    EXPECT_EQ(client.ask("AUTH\t1\tPLAIN\tservice=smtp\tresp=good"), "OK\t1\tuser=alice");
    EXPECT_EQ(client.ask("AUTH\t2\tPLAIN\tservice=smtp\tresp=bad"),
              "FAIL\t2\tlog=warning: SASL authentication failure: no\tuser=alice\treason=authentication failure");
    EXPECT_EQ(client.ask("AUTH\t3\tASK\tservice=smtp"), "CONT\t3\tPz8=");
    EXPECT_EQ(client.ask("AUTH\t4\tASK\tservice=smtp"), "CONT\t4\tPz8=");
    EXPECT_EQ(client.ask("CONT\t4\tgood"), "OK\t4\tuser=alice");
    client.say("CANCEL\t3");
    EXPECT_EQ(client.ask("AUTH\t3\tPLAIN\tservice=smtp\tresp=good"), "OK\t3\tuser=alice");
    stop();
    EXPECT_EQ(end_, CyrusServer::End::drained);
}

TEST_F(CyrusServerTest, HungStepHoldsUpNobodyElse)
{
    start();
    Client client(path_);
    client.say("AUTH\t1\tHANG\tservice=smtp");
    gate_->wait_for(1);
    EXPECT_EQ(client.ask("AUTH\t3\tPLAIN\tresp=good"), "OK\t3\tuser=alice");
    clock_.advance(options_.step_limit + 1s);
    EXPECT_EQ(
        client.read_line(),
        "FAIL\t1\tlog=warning: SASL authentication problem: the password service does not answer\treason=generic failure\ttemp");
    EXPECT_EQ(client.ask("AUTH\t2\tPLAIN\tresp=good"), "OK\t2\tuser=alice");
    // What the library says in the end is said to nobody.
    gate_->open();
    EXPECT_EQ(client.ask("AUTH\t1\tPLAIN\tresp=good"), "OK\t1\tuser=alice");
}

TEST_F(CyrusServerTest, WhatCameWithAHungStepIsAnsweredAndSoIsTheStepWhenItEnds)
{
    start();
    Client client(path_);
    client.say(
        "AUTH\t1\tHANG\tresp=good\nAUTH\t2\tPLAIN\tresp=good\nAUTH\t3\tHANG\tresp=good\nAUTH\t4\tPLAIN\tresp=bad");
    std::vector<std::string> answers{client.read_line(), client.read_line()};
    std::ranges::sort(answers);
    EXPECT_TRUE(answers[0].starts_with("FAIL\t4\t")) << answers[0];
    EXPECT_EQ(answers[1], "OK\t2\tuser=alice");
    gate_->wait_for(2);
    gate_->open();
    answers = {client.read_line(), client.read_line()};
    std::ranges::sort(answers);
    EXPECT_EQ(answers, (std::vector<std::string>{"OK\t1\tuser=alice", "OK\t3\tuser=alice"}));
    stop();
    EXPECT_EQ(end_, CyrusServer::End::drained);
}

TEST(CyrusPaceTest, SlowStepsGoToThreadsUntilThereWereManyShortOnes)
{
    CyrusPace pace;
    EXPECT_TRUE(pace.is_quick());
    pace.note(5ms);
    EXPECT_TRUE(pace.is_quick());    // one may have waited for a disk
    pace.note(5ms);
    EXPECT_FALSE(pace.is_quick());
    int needed = 0;
    for (; !pace.is_quick(); ++needed) pace.note(100us);
    EXPECT_TRUE(needed > 10 && needed < 100) << needed;
    pace.note_hung();
    for (needed = 0; !pace.is_quick(); ++needed) pace.note(100us);
    EXPECT_TRUE(needed > 90 && needed < 200) << needed;
}

TEST_F(CyrusServerTest, EndsWhenEveryThreadHangsAndWorkWaits)
{
    options_.most_threads = 2;
    start();
    Client client(path_);
    client.say("AUTH\t1\tHANG\tservice=smtp");
    client.say("AUTH\t2\tHANG\tservice=smtp");
    gate_->wait_for(2);
    clock_.advance(options_.step_limit + 1s);
    client.say("AUTH\t3\tPLAIN\tresp=good");
    thread_.join();
    EXPECT_EQ(end_, CyrusServer::End::stuck);
}

TEST_F(CyrusServerTest, WaitForAThreadIsBounded)
{
    options_.most_threads = 1;
    start();
    Client client(path_);
    client.say("AUTH\t1\tHANG\tservice=smtp");
    gate_->wait_for(1);
    client.say("AUTH\t2\tPLAIN\tresp=good");
    // Its turn cannot come; when it does not come for long enough, it is told so. (The clock goes on until it was heard.)
    std::string answer;
    while (answer.empty()) {
        clock_.advance(options_.wait_limit / 4);
        if (client.has_something(100)) answer = client.read_line();
    }
    if (answer.starts_with("FAIL\t1")) answer = client.read_line();
    EXPECT_TRUE(answer.starts_with("FAIL\t2\t") && answer.ends_with("\ttemp")) << answer;
    gate_->open();
}

TEST_F(CyrusServerTest, OldestUnfinishedMakesRoom)
{
    options_.most_exchanges = 2;
    start();
    Client guesser(path_), client(path_);
    EXPECT_EQ(guesser.ask("AUTH\t1\tASK"), "CONT\t1\tPz8=");
    EXPECT_EQ(guesser.ask("AUTH\t2\tASK"), "CONT\t2\tPz8=");
    EXPECT_EQ(client.ask("AUTH\t1\tASK"), "CONT\t1\tPz8=");
    EXPECT_TRUE(guesser.read_line().starts_with("FAIL\t1\t"));
    EXPECT_EQ(client.ask("CONT\t1\tgood"), "OK\t1\tuser=alice");
    EXPECT_EQ(guesser.ask("CONT\t2\tgood"), "OK\t2\tuser=alice");
}

TEST_F(CyrusServerTest, IdleExchangeIsForgotten)
{
    start();
    Client client(path_);
    EXPECT_EQ(client.ask("AUTH\t1\tASK"), "CONT\t1\tPz8=");
    clock_.advance(options_.idle_limit + 1s);
    const std::string answer = client.ask("CONT\t1\tgood");
    EXPECT_TRUE(answer.starts_with("FAIL\t1\t") && answer.ends_with("\ttemp")) << answer;
}

TEST_F(CyrusServerTest, BreaksWithThoseWhoBreakTheProtocol)
{
    start();
    const std::string endless(longest_cyrus_line + 10, 'x');
    for (const std::string& line :
         {std::string("AUTH\tone\tPLAIN"), std::string("VERSION\t2\t0"), std::string("CONT"), endless}) {
        Client client(path_);
        client.say(line);
        EXPECT_EQ(client.read_line(), "(end)") << line.substr(0, 20);
    }
    Client client(path_);
    EXPECT_EQ(client.ask("AUTH\t1\tASK"), "CONT\t1\tPz8=");
    EXPECT_EQ(client.ask("AUTH\t1\tASK"), "(end)");
}

TEST_F(CyrusServerTest, DrainFinishesWhatIsUnderWay)
{
    start();
    Client client(path_);
    client.say("AUTH\t1\tHANG\tresp=good");
    gate_->wait_for(1);
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    gate_->open();
    EXPECT_EQ(client.read_line(), "OK\t1\tuser=alice");
    EXPECT_EQ(client.read_line(), "(end)");
    thread_.join();
    EXPECT_EQ(end_, CyrusServer::End::drained);
}

}  // namespace
}  // namespace ekiden::sasl
