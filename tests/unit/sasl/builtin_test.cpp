#include "sasl/builtin.hpp"

#include "base/clock.hpp"
#include "base/log_sinks.hpp"
#include "sasl/base64.hpp"
#include "sasl/builtin_work.hpp"
#include "sasl/crypt_hash.hpp"
#include "sasl/scram.hpp"
#include "support/run_task.hpp"
#include "unit/sasl/scram_client.hpp"

#include <gmock/gmock.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <unistd.h>

namespace ekiden::sasl {

using namespace std::literals;
using testing::HasSubstr;
using ekiden::test::run_task;

namespace {

std::string line(const std::string& name, std::string_view password)
{
    return name + ":" + format_verifier(make_verifier(Secret(password), "sixteen bytes...", min_iterations)) + "\n";
}
std::string crypt_line(const std::string& name, std::string_view password)
{
    return name + ":" + make_crypt_hash(Secret(password)).value() + "\n";
}

std::string plain(std::string_view authorization, std::string_view name, std::string_view password)
{
    return encode_base64(std::string(authorization) + '\0' + std::string(name) + '\0' + std::string(password));
}

}  // namespace

class Builtin : public testing::Test {
protected:
    Builtin() : folder_(std::filesystem::temp_directory_path() / ("ekiden-builtin-" + std::to_string(::getpid())))
    {
        std::filesystem::create_directory(folder_);
        base::use_sink(
            base::function_sink([this](base::LogLevel, std::string_view, std::string text) { log_ += text + "\n"; }));
        write(line("alice", "pencil") + line("bob@example.test", "p\u00e4ss") + crypt_line("carol", "crypted") +
              "broken\n");
        options_.path = path();
        options_.pool = &pool_;
        options_.log = Logger("postfix/smtpd");
        peer_.realm = "example.test";
    }
    ~Builtin() override
    {
        base::flush_log();
        base::use_sink(base::stderr_sink());
        std::filesystem::remove_all(folder_);
    }

    std::string path() const { return folder_ / "logins"; }
    void write(const std::string& text)
    {
        const std::string beside = path() + ".new";    // another file each time, as the command does it
        std::ofstream(beside) << text;
        std::filesystem::permissions(beside, std::filesystem::perms(0600));
        std::filesystem::rename(beside, path());
    }
    Backend& backend()
    {
        if (!backend_) backend_ = make_builtin(options_);
        return *backend_;
    }
    // The exchange's last answer, after these responses ("-": none).
    Answer play(const std::string& mechanism, std::vector<std::string> responses)
    {
        auto exchange = backend().begin(mechanism, peer_);
        Answer answer;
        for (const std::string& response : responses) {
            std::optional<Secret> given;
            if (response != "-") given.emplace(std::string_view(response));
            answer = run_task(exchange->step(std::move(given)));
        }
        return answer;
    }
    // A whole SCRAM login; the challenge is kept.
    Answer scram(ScramClient client, const std::string& mechanism = "SCRAM-SHA-256")
    {
        auto exchange = backend().begin(mechanism, peer_);
        Answer answer = run_task(exchange->step(Secret(encode_base64(client.first()))));
        if (answer.kind != Answer::Kind::challenge) return answer;
        challenge_ = decode_base64(answer.text)->view();
        answer = run_task(exchange->step(Secret(encode_base64(client.answer(challenge_)))));
        if (answer.kind != Answer::Kind::challenge) return answer;
        EXPECT_EQ(decode_base64(answer.text)->view(), client.server_final());
        return run_task(exchange->step(Secret(""sv)));
    }
    static void expect_failure(const Answer& answer, std::string_view text = "authentication failure",
                               std::string_view user = {})
    {
        EXPECT_EQ(answer.kind, Answer::Kind::failure) << answer.text << answer.user;
        EXPECT_EQ(answer.text, text);
        if (!user.empty()) EXPECT_EQ(answer.user, user);
    }
    static void expect_login(const Answer& answer, std::string_view user)
    {
        EXPECT_EQ(answer.kind, Answer::Kind::success) << answer.text;
        EXPECT_EQ(answer.user, user);
    }

    std::filesystem::path folder_;
    std::string log_, challenge_;
    net::BlockingPool pool_{2};
    BuiltinOptions options_;
    BackendPtr backend_;
    Peer peer_;
};

TEST_F(Builtin, OffersTheStrongestFirst)
{
    auto names = [this] {
        std::string out;
        const MechanismList list = run_task(backend().mechanisms()).value();
        for (const auto& mechanism : *list)
            out += mechanism.name + (is_possible(mechanism, peer_) ? " " : "- ");
        return out;
    };
    EXPECT_EQ(names(), "SCRAM-SHA-256-PLUS- SCRAM-SHA-256 PLAIN LOGIN ");
    peer_.tls_server_end_point = "x";
    EXPECT_EQ(names(), "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN ");
    write(crypt_line("carol", "crypted"));
    backend_.reset();
    EXPECT_EQ(names(), "PLAIN LOGIN ") << "nobody could log in with SCRAM";
    write("");
    backend_.reset();
    EXPECT_EQ(names(), "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN ");
}

TEST_F(Builtin, TakesPlain)
{
    expect_login(play("PLAIN", {plain("", "alice", "pencil")}), "alice");
    expect_login(play("plain", {"-", plain("", "alice", "pencil")}), "alice");
    expect_login(play("PLAIN", {plain("alice", "alice", "pencil")}), "alice");
    expect_login(play("PLAIN", {plain("", "bob", "p\u00e4ss")}), "bob@example.test");
    expect_login(play("PLAIN", {plain("", "bob", "pa\u0308ss")}), "bob@example.test");
    expect_login(play("PLAIN", {plain("bob", "bob@EXAMPLE.test", "p\u00e4ss")}), "bob@example.test");
    expect_login(play("PLAIN", {plain("bob@example.test", "bob", "p\u00e4ss")}), "bob@example.test");
    expect_login(play("PLAIN", {plain("", "carol", "crypted")}), "carol");
    const Answer asked = play("PLAIN", {"-"});
    EXPECT_EQ(asked.kind, Answer::Kind::challenge);
    EXPECT_EQ(asked.text, "");
}

TEST_F(Builtin, RefusesPlain)
{
    expect_failure(play("PLAIN", {plain("", "alice", "Pencil")}), "authentication failure", "alice");
    expect_failure(play("PLAIN", {plain("", "alice", "pencil\n")}));
    expect_failure(play("PLAIN", {plain("", "nobody", "pencil")}), "authentication failure", "nobody@example.test");
    expect_failure(play("PLAIN", {plain("", "nobody@other.test", "pencil")}), "authentication failure",
                   "nobody@other.test");
    expect_failure(play("PLAIN", {plain("", "alice@example.test", "pencil")}));
    expect_failure(play("PLAIN", {plain("", "Alice", "pencil")}));
    expect_failure(play("PLAIN", {plain("", "carol", "pencil")}), "authentication failure", "carol");
    expect_failure(play("PLAIN", {plain("", "broken", "")}), "bad protocol / cancel");
    expect_failure(play("PLAIN", {plain("", "broken", "x")}));
    expect_failure(play("PLAIN", {plain("bob", "alice", "pencil")}));
    expect_failure(play("PLAIN", {plain("\xff", "alice", "pencil")}));
    expect_failure(play("PLAIN", {plain("", std::string(3000, 'a'), "x")}), "authentication failure",
                   std::string(255, 'a') + "@example.test");
    expect_failure(play("PLAIN", {plain("", "alice", std::string(9000, 'x'))}));
    for (const std::string& text :
         {"####"s, "="s, ""s, "bm9udWw="s, encode_base64("alice\0pencil"sv), encode_base64("\0\0pencil"sv),
          encode_base64("\0alice\0"sv), encode_base64("\0alice\0pencil\0"sv), encode_base64("\0\0\0"sv)}) {
        expect_failure(play("PLAIN", {text}), "bad protocol / cancel");
    }
    expect_failure(play("PLAIN", {"-", "="}), "bad protocol / cancel");
    expect_failure(play("PLAIN", {"-", "-"}), "bad protocol / cancel");
    EXPECT_THAT(log_, testing::Not(HasSubstr("pencil")));
}

TEST_F(Builtin, AsksForNameAndPassword)
{
    EXPECT_EQ(play("LOGIN", {"-"}).text, "VXNlcm5hbWU6");
    EXPECT_EQ(play("LOGIN", {"-", "YWxpY2U="}).text, "UGFzc3dvcmQ6");
    EXPECT_EQ(play("LOGIN", {"YWxpY2U="}).text, "UGFzc3dvcmQ6");
    EXPECT_EQ(play("LOGIN", {"="}).text, "VXNlcm5hbWU6");
    expect_login(play("LOGIN", {"-", "YWxpY2U=", "cGVuY2ls"}), "alice");
    expect_login(play("login", {"YWxpY2U=", "cGVuY2ls"}), "alice");
    expect_login(play("LOGIN", {encode_base64("bob"), encode_base64("p\u00e4ss")}), "bob@example.test");
    expect_failure(play("LOGIN", {"YWxpY2U=", "eA=="}), "authentication failure", "alice");
    expect_failure(play("LOGIN", {"YWxpY2U=", ""}), "authentication failure", "alice@example.test");
    expect_failure(play("LOGIN", {"-", ""}), "bad protocol / cancel");
    expect_failure(play("LOGIN", {"####"}), "bad protocol / cancel");
    expect_failure(play("LOGIN", {"YWxpY2U=", "####"}), "bad protocol / cancel");
    expect_failure(play("LOGIN", {encode_base64("al\0ice"sv)}), "bad protocol / cancel");
    expect_failure(play("LOGIN", {"YWxpY2U=", "-"}), "bad protocol / cancel");
}

TEST_F(Builtin, TakesScram)
{
    expect_login(scram({.password = "pencil", .user = "alice"}), "alice");
    expect_login(scram({.password = "p\u00e4ss", .user = "bob"}), "bob@example.test");
    expect_login(scram({.password = "p\u00e4ss", .user = "bob", .gs2 = "y,a=bob@example.test,"}), "bob@example.test");
    EXPECT_THAT(challenge_, testing::EndsWith(",s=" + encode_base64("sixteen bytes...") + ",i=4096"));
    EXPECT_EQ(play("SCRAM-SHA-256", {"-"}).text, "");

    expect_failure(scram({.password = "Pencil", .user = "alice"}), "authentication failure", "alice");
    expect_failure(scram({.password = "pencil", .user = "alice", .gs2 = "n,a=bob,"}), "authentication failure",
                   "alice");
    expect_failure(scram({.password = "pencil", .user = "alice", .gs2 = "n,,m=x,"}), "bad protocol / cancel");
    expect_failure(play("SCRAM-SHA-256", {"####"}), "bad protocol / cancel");
    expect_failure(play("SCRAM-SHA-256", {"="}), "bad protocol / cancel");
    expect_failure(play("SCRAM-SHA-256", {encode_base64("n,,n=alice,r=x"), "=" }), "bad protocol / cancel");
    const Answer hopeless = scram({.password = "crypted", .user = "carol"});
    expect_failure(hopeless, "authentication failure", "carol");
    EXPECT_THAT(hopeless.log, testing::ElementsAre(testing::StartsWith("info: carol has a crypt(3) hash")));
}

TEST_F(Builtin, BindsScramToTheChannel)
{
    const ScramClient bound{.password = "pencil", .user = "alice", .gs2 = "p=tls-exporter,,", .binding = "exported"};
    expect_failure(scram(bound, "SCRAM-SHA-256-PLUS"), "no mechanism available");
    peer_.tls_exporter = "exported";
    peer_.tls_server_end_point = "certificate";
    expect_login(scram(bound, "scram-sha-256-plus"), "alice");
    expect_login(
        scram({.password = "pencil", .user = "alice", .gs2 = "p=tls-server-end-point,,", .binding = "certificate"},
              "SCRAM-SHA-256-PLUS"),
        "alice");
    expect_failure(
        scram({.password = "pencil", .user = "alice", .gs2 = "p=tls-exporter,,", .binding = "another channel"},
              "SCRAM-SHA-256-PLUS"),
        "authentication failure", "alice");
    expect_failure(scram({.password = "pencil", .user = "alice", .gs2 = "p=tls-unique,,", .binding = "exported"},
                         "SCRAM-SHA-256-PLUS"));
    expect_failure(scram({.password = "pencil", .user = "alice", .gs2 = "n,,"}, "SCRAM-SHA-256-PLUS"),
                   "bad protocol / cancel");
    expect_failure(scram({.password = "pencil", .user = "alice", .gs2 = "y,,"}), "authentication failure");
    expect_login(scram({.password = "pencil", .user = "alice", .gs2 = "n,,"}), "alice");
}

TEST_F(Builtin, AnswersUnknownNamesAsIfTheyWereKnown)
{
    expect_failure(scram({.password = "pencil", .user = "nobody"}), "authentication failure", "nobody@example.test");
    const std::string first = challenge_.substr(challenge_.find(",s="));
    EXPECT_THAT(first, testing::MatchesRegex(",s=[A-Za-z0-9+/]{22}==,i=4096"));
    backend_.reset();    // a reload
    expect_failure(scram({.password = "pencil", .user = "nobody"}));
    EXPECT_EQ(challenge_.substr(challenge_.find(",s=")), first) << "a salt that changes tells that the name is unknown";
    expect_failure(scram({.password = "pencil", .user = "somebody"}));
    EXPECT_NE(challenge_.substr(challenge_.find(",s=")), first);
}

TEST_F(Builtin, KeepsToTheSecurityOptions)
{
    peer_.security = plaintext | anonymous;
    expect_failure(play("PLAIN", {plain("", "alice", "pencil")}), "no mechanism available");
    expect_failure(play("LOGIN", {"-"}), "no mechanism available");
    expect_login(scram({.password = "pencil", .user = "alice"}), "alice");
    peer_.security = mutual_auth;
    expect_login(scram({.password = "pencil", .user = "alice"}), "alice");
    expect_failure(play("CRAM-MD5", {"-"}), "no mechanism available");
    expect_failure(play("", {"-"}), "no mechanism available");
}

// Work that waits until it is let go.
class Brake {
public:
    Result<bool> work()
    {
        std::unique_lock lock(mutex_);
        ++entered_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return is_open_; });
        return true;
    }
    void wait_for(int entered)
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return entered_ >= entered; });
    }
    void open()
    {
        const std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }
    int entered()
    {
        const std::lock_guard lock(mutex_);
        return entered_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int entered_ = 0;
    bool is_open_ = false;
};

TEST_F(Builtin, OffersByTheFileThoughNobodyLogsIn)
{
    base::FixedClock clock(base::WallTime(std::chrono::seconds(4'000'000'000)));
    net::BlockingPool pool(1);
    options_.pool = &pool;
    auto count = [this] { return run_task(backend().mechanisms()).value()->size(); };
    auto let_look = [&pool] { run_task(pool.run([] { return true; })); };    // behind what was posted
    EXPECT_EQ(count(), 4u);
    let_look();
    write(crypt_line("carol", "crypted"));
    EXPECT_EQ(count(), 4u);
    let_look();
    EXPECT_EQ(count(), 4u) << "it looks once a second";

    clock.advance(std::chrono::milliseconds(1001));
    Brake brake;
    pool.post([&brake] { (void)brake.work(); });
    brake.wait_for(1);
    EXPECT_EQ(count(), 4u) << "a greeting does not wait for the file";
    clock.advance(std::chrono::milliseconds(1001));
    EXPECT_EQ(count(), 4u);
    brake.open();
    let_look();
    EXPECT_EQ(count(), 2u);

    // And back; a login that comes just behind the greeting finds the file as it is.
    write(line("alice", "chalk"));
    clock.advance(std::chrono::milliseconds(1001));
    (void)count();    // whether that look is over already is not known
    expect_login(play("PLAIN", {plain("", "alice", "chalk")}), "alice");
    EXPECT_EQ(count(), 4u);
    backend_.reset();
}

TEST_F(Builtin, FollowsTheFile)
{
    base::FixedClock clock(base::WallTime(std::chrono::seconds(4'000'000'000)));
    expect_login(play("PLAIN", {plain("", "alice", "pencil")}), "alice");
    EXPECT_THAT(log_, HasSubstr("warning: " + path() + ", line 4: expected"));
    write(line("alice", "brush"));
    expect_login(play("PLAIN", {plain("", "alice", "pencil")}), "alice");    // it looks once a second
    clock.advance(std::chrono::milliseconds(1001));
    expect_failure(play("PLAIN", {plain("", "alice", "pencil")}));
    expect_login(play("PLAIN", {plain("", "alice", "brush")}), "alice");

    std::filesystem::remove(path());
    clock.advance(std::chrono::seconds(2));
    EXPECT_EQ(play("PLAIN", {plain("", "alice", "brush")}).kind, Answer::Kind::try_later);
    EXPECT_EQ(scram({.password = "brush", .user = "alice"}).kind, Answer::Kind::try_later);
    clock.advance(std::chrono::seconds(2));
    EXPECT_EQ(play("LOGIN", {"YWxpY2U=", "eA=="}).kind, Answer::Kind::try_later);
    const std::string said = log_;
    EXPECT_EQ(said.find("every login has to wait"), said.rfind("every login has to wait")) << "said once\n" << said;

    write(line("alice", "chalk"));
    clock.advance(std::chrono::seconds(2));
    expect_login(play("PLAIN", {plain("", "alice", "chalk")}), "alice");
}

TEST(HashQueue, WorksOnFewLetsFewWaitAndSendsTheOthersAway)
{
    net::BlockingPool pool(8);
    const auto queue = std::make_shared<HashQueue>(pool, 2, 3, std::chrono::seconds(60));
    Brake brake;
    asio::io_context loop(1);
    int right = 0, sent_away = 0;
    for (int i = 0; i < 10; ++i) {
        asio::co_spawn(loop, queue->run([&] { return brake.work(); }), [&](std::exception_ptr, Result<bool> result) {
            if (result) ++right;
            else if (result.error().is(ErrorCode::unavailable)) ++sent_away;
        });
        loop.poll();
        if (i < 2) brake.wait_for(i + 1);    // until it is off the list of those that wait
    }
    EXPECT_EQ(sent_away, 5);
    EXPECT_EQ(brake.entered(), 2) << "not more threads than allowed";
    brake.open();
    loop.run();
    EXPECT_EQ(right, 5);
    EXPECT_EQ(brake.entered(), 5);
}

TEST(HashQueue, LetsNobodyWaitForEver)
{
    asio::io_context loop(1);    // outlives the pool, as the cores do
    net::BlockingPool pool(1);
    auto ask = [&loop](const std::shared_ptr<HashQueue>& queue, std::function<Result<bool>()> work) {
        Result<bool> answer = false;
        asio::co_spawn(loop, queue->run(std::move(work)),
                       [&](std::exception_ptr, Result<bool> result) { answer = std::move(result); });
        loop.restart();
        loop.run();
        return answer;
    };
    const auto queue = std::make_shared<HashQueue>(pool, 1, 10, std::chrono::milliseconds(20));
    Brake brake;
    const auto first = ask(queue, [&] { return brake.work(); });
    EXPECT_TRUE(!first && first.error().is(ErrorCode::timeout));
    int ran = 0;
    const auto second = ask(queue, [&] { return Result<bool>(++ran > 0); });    // behind the one that still works
    EXPECT_TRUE(!second && second.error().is(ErrorCode::timeout));
    brake.wait_for(1);
    brake.open();
    const auto patient = std::make_shared<HashQueue>(pool, 1, 10, std::chrono::seconds(60));
    EXPECT_TRUE(ask(patient, [] { return Result<bool>(true); }).value());
    EXPECT_EQ(ran, 0) << "nobody waited for it any more";
}

TEST(HashQueue, IsOneForEachPool)
{
    net::BlockingPool pool(1), other(1);
    const auto limit = std::chrono::seconds(1);
    const auto queue = HashQueue::of(pool, 1, 1, limit);
    EXPECT_EQ(HashQueue::of(pool, 9, 9, limit), queue);
    EXPECT_NE(HashQueue::of(other, 1, 1, limit), queue);
}

TEST(HashQueue, TellsWhenMemoryIsShort)
{
    net::BlockingPool pool(1);
    const auto queue = std::make_shared<HashQueue>(pool, 1, 10, std::chrono::seconds(60));
    const auto result = run_task(queue->run([]() -> Result<bool> { throw std::bad_alloc(); }));
    EXPECT_TRUE(!result && result.error().is(ErrorCode::unavailable));
}

}  // namespace ekiden::sasl
