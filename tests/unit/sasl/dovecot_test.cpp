#include "sasl/dovecot.hpp"
#include "sasl/dovecot_connection.hpp"
#include "sasl/dovecot_protocol.hpp"

#include "net/line_reader.hpp"
#include "net/stream.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

using Local = asio::local::stream_protocol;
using Kind = DovecotLine::Kind;
using std::chrono::milliseconds;

std::string show(const Result<DovecotLine>& line)
{
    if (!line) return "trouble";
    switch (line->kind) {
    case Kind::version: return "version " + std::to_string(line->number);
    case Kind::mechanism:
        return "mechanism " + line->mechanism.name + " " + std::to_string(line->mechanism.properties) +
               (line->mechanism.is_private ? " private" : "");
    case Kind::ready: return "ready";
    case Kind::other: return "other";
    case Kind::success: return "ok " + std::to_string(line->id) + " " + line->user;
    case Kind::challenge: return "cont " + std::to_string(line->id) + " " + line->text;
    case Kind::failure:
        return "fail " + std::to_string(line->id) + " " + line->user + " " + line->text +
               (line->is_temporary ? " temp" : "");
    }
    return "";
}

TEST(DovecotProtocol, ReadsWhatServersSayAndRefusesNonsense)
{
    const struct {
        const char* line;
        const char* meaning;
    } rows[] = {
        {"VERSION\t1\t2", "version 1"},
        {"VERSION\t2\t0", "version 2"},
        {"VERSION", "trouble"},
        {"VERSION\tone", "trouble"},
        {"MECH\tPLAIN\tplaintext", "mechanism PLAIN 1"},
        {"MECH\tgssapi\tmutual-auth\tforward-secrecy\tnew-word", "mechanism GSSAPI 48"},
        {"MECH\tEXTERNAL\tprivate", "mechanism EXTERNAL 0 private"},
        {"MECH\tCRAM-MD5\tdictionary\tactive", "mechanism CRAM-MD5 6"},
        {"MECH\tEVIL\r\n250 X", "trouble"},
        {"MECH\tA B", "trouble"},
        {"MECH", "trouble"},
        {"DONE", "ready"},
        {"SPID\t123", "other"},
        {"NEWER\tthings", "other"},
        {"", "other"},
        {"OK\t1\tuser=alice", "ok 1 alice"},
        {"OK\t4294967295\tuser=a\001tb", "ok 4294967295 a\tb"},
        {"OK\t4294967296\tuser=a", "trouble"},
        {"OK\t-1\tuser=a", "trouble"},
        {"OK", "trouble"},
        {"OK\t7", "ok 7 "},
        {"OK\t7\tuser=a\0010b", "ok 7 "},
        {"FAIL\t7\tuser=a\0010b", "fail 7 a "},
        {"CONT\t3\tVXNlcm5hbWU6", "cont 3 VXNlcm5hbWU6"},
        {"CONT\t3\t", "cont 3 "},
        {"CONT\t3", "cont 3 "},
        {"CONT\t3\tnot base64", "trouble"},
        {"CONT\tx\tAAAA", "trouble"},
        {"FAIL\t1\tuser=bob\treason=go away", "fail 1 bob go away"},
        {"FAIL\t1\tuser=bob\ttemp", "fail 1 bob  temp"},
        {"FAIL\t1\tcode=temp_fail", "fail 1   temp"},
        {"FAIL\t1\tcode=user_disabled", "fail 1  "},
        {"FAIL\t", "trouble"},
    };
    for (const auto& row : rows) EXPECT_EQ(show(parse_dovecot_line(row.line)), row.meaning) << row.line;
    // What a client makes the server repeat is no reason to end the connection, and all other logins with it.
    const std::string name(5000, 'u');
    EXPECT_EQ(show(parse_dovecot_line("OK\t1\tuser=" + name)), "ok 1 ");
    EXPECT_EQ(show(parse_dovecot_line("FAIL\t1\tuser=" + name)), "fail 1 " + name.substr(0, 1024) + " ");
}

TEST(DovecotProtocol, WritesWhatTheProtocolAllows)
{
    Peer peer;
    peer.client = {*net::parse_address("192.0.2.1"), 4711};
    peer.server = {*net::parse_address("2001:db8::25"), 587};
    peer.realm = "example.test";
    EXPECT_EQ(
        format_dovecot_auth({.id = 5, .mechanism = "PLAIN", .response = "AGEAYg=="}, peer).view(),
        "AUTH\t5\tPLAIN\tservice=smtp\tnologin\tlip=2001:db8::25\tlport=587\trip=192.0.2.1\trport=4711\tresp=AGEAYg==\n");
    peer.is_encrypted = peer.has_client_certificate = true;
    EXPECT_EQ(
        format_dovecot_auth(
            {.id = 6, .mechanism = "A\tB\n", .security_words = "noplaintext,noanonymous", .with_realm = true}, peer)
            .view(),
        "AUTH\t6\tA\001tB\001n\tservice=smtp\tnologin\tlip=2001:db8::25\tlport=587\trip=192.0.2.1\trport=4711\tsecured\tvalid-client-cert\t"
        "realm=example.test\tsecprops=noplaintext,noanonymous\n");
    EXPECT_EQ(format_dovecot_continue(7, "YQ==").view(), "CONT\t7\tYQ==\n");
    EXPECT_EQ(format_dovecot_continue(7, "").view(), "CONT\t7\t\n");
    EXPECT_EQ(format_dovecot_cancel(8).view(), "CANCEL\t8\n");
    for (const char* text : {"", "=", "YQ==", "YWI=", "+/09azAZ", "x"}) EXPECT_TRUE(looks_like_base64(text)) << text;
    for (const char* text : {"####", "a b", "a=b", "a===", "*", "a\tb", "\xc3\xa4"})
        EXPECT_FALSE(looks_like_base64(text)) << text;
}

// A server that answers line by line as it is told: the start of a line → what to say, with ID for its number; "(close)"
// hangs up, "(close once)" does so and lets everybody in from then on, "" says nothing.
struct Script {
    std::string greeting =
        "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tANONYMOUS\tanonymous\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n";
    std::vector<std::pair<std::string, std::string>> answers;
};

class World {
public:
    explicit World(Script script) : script_(std::move(script))
    {
        folder_ = std::filesystem::temp_directory_path() /
                  ("dovecot_test." + std::to_string(::getpid()) + "." + std::to_string(serial_++));
        std::filesystem::create_directories(folder_);
        listen();
    }
    ~World()
    {
        stop_listening();
        context.stop();
        std::filesystem::remove_all(folder_);
    }
    void listen()
    {
        acceptor_.emplace(context, Local::endpoint((folder_ / "auth").string()));
        accept();
    }
    void stop_listening()
    {
        acceptor_.reset();
        std::filesystem::remove(folder_ / "auth");
    }
    void hang_up()
    {
        for (auto& stream : streams_) stream->close();
    }
    BackendPtr backend(bool is_cyrus = false, milliseconds limit = milliseconds(5000))
    {
        DovecotOptions options;
        options.path = "auth";
        options.queue_directory = folder_;
        options.is_cyrus = is_cyrus;
        options.time_limit = limit;
        auto made = make_dovecot(std::move(options));
        EXPECT_TRUE(made);
        return *made;
    }
    template <class T>
    T run(Task<T> task)
    {
        std::optional<T> result;
        std::exception_ptr trouble;
        asio::co_spawn(context, std::move(task), [&](std::exception_ptr e, T value) {
            trouble = e;
            result = std::move(value);
        });
        context.restart();
        while (!result && !trouble) {
            if (context.run_one_for(std::chrono::seconds(10)) == 0) throw std::runtime_error("nothing happens");
        }
        if (trouble) std::rethrow_exception(trouble);
        return std::move(*result);
    }
    Task<void> hears(std::string line)
    {
        net::Timer news(co_await net::this_executor(), std::chrono::minutes(1));
        on_heard_ = [&news] { news.cancel(); };
        boost::system::error_code ignored;
        if (heard.empty() || heard.back() != line) co_await news.async_wait(asio::redirect_error(use_task, ignored));
        on_heard_ = nullptr;
    }
    asio::io_context context;
    std::vector<std::string> heard;
    int connections = 0;
    Script& script() { return script_; }

private:
    void accept()
    {
        acceptor_->async_accept(
            [this](const boost::system::error_code& error, asio::basic_stream_socket<Local, net::Executor> socket) {
                if (error) return;
                ++connections;
                streams_.push_back(net::make_stream(std::move(socket)));
                asio::co_spawn(context, talk(*this, *streams_.back()), asio::detached);
                accept();
            });
    }
    static Task<void> talk(World& world, net::Stream& stream)
    {
        (void)co_await stream.write(world.script_.greeting);
        net::LineReader reader(stream);
        while (auto line = co_await reader.read_line(100'000)) {
            const std::string text(line->text);
            world.heard.push_back(text);
            if (world.on_heard_) world.on_heard_();
            for (const auto& [start, answer] : world.script_.answers) {
                if (!text.starts_with(start)) continue;
                if (answer.starts_with("(close")) {
                    if (answer == "(close once)")
                        world.script_.answers = {{"AUTH", "OK\tID\tuser=alice\n"}};
                    stream.close();
                    co_return;
                }
                const std::size_t tab = text.find('\t') + 1;
                const std::string id = text.substr(tab, text.find('\t', tab) - tab);
                std::string said = answer;
                for (std::size_t at; (at = said.find("ID")) != said.npos;) said.replace(at, 2, id);
                if (!said.empty()) (void)co_await stream.write(said);
                break;
            }
        }
    }
    static inline int serial_ = 0;
    Script script_;
    std::function<void()> on_heard_;
    std::filesystem::path folder_;
    std::optional<asio::basic_socket_acceptor<Local, net::Executor>> acceptor_;
    std::vector<net::StreamPtr> streams_;
};

Task<std::string> log_in(BackendPtr backend, std::string mechanism, std::vector<std::string> responses,
                         bool has_initial, Peer peer)
{
    auto exchange = backend->begin(mechanism, peer);
    std::string said;
    std::size_t next = 0;
    std::optional<Secret> response;
    if (has_initial) response.emplace(responses[next++]);
    for (;;) {
        Answer answer = co_await exchange->step(std::move(response));
        const char* names[] = {"challenge", "success", "failure", "later"};
        said += std::string(names[static_cast<int>(answer.kind)]) + " " + answer.text +
                (answer.user.empty() ? "" : " user=" + answer.user);
        for (const auto& line : answer.log) said += " log=" + line;
        if (answer.kind != Answer::Kind::challenge || next == responses.size()) co_return said;
        said += "; ";
        response.emplace(responses[next++]);
    }
}

Task<std::string> names(BackendPtr backend)
{
    const auto list = co_await backend->mechanisms();
    if (!list) co_return list.error().text();
    std::string all;
    for (const auto& mechanism : **list) all += mechanism.name + " ";
    co_return all;
}

struct Row {
    const char* what;
    std::vector<std::pair<std::string, std::string>> answers;
    std::string mechanism;
    std::vector<std::string> responses;
    bool has_initial;
    std::string result;
};

TEST(Dovecot, AnswersAreWhatTheServerSaysOrTryLater)
{
    const char* lost = "later Connection lost to authentication server";
    const Row rows[] = {
        {"a login", {{"AUTH", "OK\tID\tuser=alice\n"}}, "PLAIN", {"AGEAYg=="}, true, "success  user=alice"},
        {"in steps", {{"AUTH", "CONT\tID\tVXNlcm5hbWU6\n"}, {"CONT", "OK\tID\tuser=alice\n"}}, "login", {"YQ=="}, false, "challenge VXNlcm5hbWU6; success  user=alice"},
        {"a refusal", {{"AUTH", "FAIL\tID\tuser=bob\treason=no\n"}}, "PLAIN", {"AA=="}, true, "failure no user=bob"},
        {"without reason", {{"AUTH", "FAIL\tID\n"}}, "PLAIN", {"AA=="}, true, "failure (reason unavailable)"},
        {"a refusal for now", {{"AUTH", "FAIL\tID\tuser=bob\ttemp\n"}}, "PLAIN", {"AA=="}, true, "later (reason unavailable) user=bob"},
        {"lines for a log that is not its own", {{"AUTH", "FAIL\tID\tlog=warning: a\001tb\tlog=info: c\n"}}, "PLAIN", {"AA=="}, true, "failure (reason unavailable)"},
        {"it dies", {{"AUTH", "(close)"}}, "PLAIN", {"AA=="}, true, lost},
        {"it starts anew", {{"AUTH", "(close once)"}}, "PLAIN", {"AGEAYg=="}, true, "success  user=alice"},
        {"it starts anew between", {{"AUTH", "CONT\tID\t\n"}, {"CONT", "(close once)"}}, "PLAIN", {"AA=="}, false, std::string("challenge ; ") + lost},
        {"it dies between", {{"AUTH", "CONT\tID\t\n"}, {"CONT", "(close)"}}, "PLAIN", {"AA=="}, false, std::string("challenge ; ") + lost},
        {"an OK for nobody", {{"AUTH", "OK\tID\n"}}, "PLAIN", {"AA=="}, true, "later Authentication backend error"},
        {"an OK for a name without end", {{"AUTH", "OK\tID\tuser=" + std::string(2000, 'u') + "\n"}}, "PLAIN", {"AA=="}, true, "later Authentication backend error"},
        {"an answer without a number", {{"AUTH", "OK\tuser=evil\n"}}, "PLAIN", {"AA=="}, true, lost},
        {"a challenge that is none", {{"AUTH", "CONT\tID\t250 injected\n"}}, "PLAIN", {"AA=="}, true, lost},
        {"an endless line", {{"AUTH", std::string(40'000, 'x') + "\n"}}, "PLAIN", {"AA=="}, true, lost},
        {"others' answers", {{"AUTH", "OK\t999\tuser=evil\nFAIL\t998\nFAIL\tID\treason=no\n"}}, "PLAIN", {"AA=="}, true, "failure no"},
        {"a mechanism it does not have", {}, "NTLM", {"AA=="}, true, "failure Invalid authentication mechanism"},
        {"one that is not allowed", {}, "ANONYMOUS", {"AA=="}, true, "failure Invalid authentication mechanism"},
        {"no base64", {}, "PLAIN", {"####"}, true, "failure Invalid base64 data in initial response"},
        {"later no base64", {{"AUTH", "CONT\tID\t\n"}}, "PLAIN", {"a b"}, false, "challenge ; failure Invalid base64 data in continued response"},
    };
    for (const Row& row : rows) {
        World world({.answers = row.answers});
        EXPECT_EQ(world.run(log_in(world.backend(), row.mechanism, row.responses, row.has_initial, {})), row.result)
            << row.what;
    }
}

TEST(Dovecot, SilenceEndsInTryLaterAndTheNextOneTriesANewConnection)
{
    World world({.answers = {{"AUTH", ""}}});
    auto backend = world.backend(false, milliseconds(50));
    EXPECT_EQ(world.run(log_in(backend, "PLAIN", {"AA=="}, true, {})),
              "later Connection lost to authentication server");
    world.script().answers = {{"AUTH", "OK\tID\tuser=alice\n"}};
    EXPECT_EQ(world.run(log_in(backend, "PLAIN", {"AA=="}, true, {})), "success  user=alice");
    EXPECT_EQ(world.connections, 2);
}

TEST(Dovecot, GreetingsThatAreNoneAreTryLater)
{
    for (const char* greeting :
         {"VERSION\t2\t0\nDONE\n", "DONE\n", "VERSION\t1\t1\nOK\t1\tuser=x\n", "VERSION\t1\t1\nMECH\tPL AIN\nDONE\n",
          "VERSION\t1\t1\nDONE\nOK\t1\tuser=evil\n", ""}) {
        World world({.greeting = greeting, .answers = {{"AUTH", "OK\tID\tuser=alice\n"}}});
        auto backend = world.backend(false, milliseconds(100));
        EXPECT_EQ(world.run(log_in(backend, "PLAIN", {"AA=="}, true, {})),
                  "later Connection lost to authentication server")
            << greeting;
        EXPECT_TRUE(world.run(names(backend)).starts_with("SASL: Connect to Dovecot auth socket 'auth' failed: "))
            << greeting;
    }
}

TEST(Dovecot, ServerThatIsAwayKeepsItsMechanismsAndIsAskedAgain)
{
    World world({.answers = {{"AUTH", "OK\tID\tuser=alice\n"}}});
    auto backend = world.backend();
    world.stop_listening();
    EXPECT_EQ(world.run(names(backend)),
              "SASL: Connect to Dovecot auth socket 'auth' failed: No such file or directory");
    world.listen();
    EXPECT_EQ(world.run(names(backend)), "PLAIN LOGIN ANONYMOUS ");
    EXPECT_EQ(world.run(log_in(backend, "PLAIN", {"AA=="}, true, {})), "success  user=alice");
    EXPECT_EQ(world.connections, 1);
    world.stop_listening();
    world.hang_up();
    EXPECT_EQ(world.run(log_in(backend, "PLAIN", {"AA=="}, true, {})),
              "later Connection lost to authentication server");
    EXPECT_EQ(world.run(names(backend)), "PLAIN LOGIN ANONYMOUS ");
    world.listen();
    EXPECT_EQ(world.run(log_in(backend, "PLAIN", {"AA=="}, true, {})), "success  user=alice");
}

Task<std::string> abandon(BackendPtr backend, World& world)
{
    {
        auto exchange = backend->begin("LOGIN", {});
        (void)co_await exchange->step(std::nullopt);
    }
    co_await world.hears("CANCEL\t1");
    co_return world.heard.back();
}

TEST(Dovecot, LoginThatIsNotFinishedIsCancelled)
{
    World world({.answers = {{"AUTH", "CONT\tID\t\n"}}});
    EXPECT_EQ(world.run(abandon(world.backend(), world)), "CANCEL\t1");
}

Task<std::string> two_at_once(BackendPtr backend)
{
    auto first = backend->begin("LOGIN", {}), second = backend->begin("LOGIN", {});
    (void)co_await first->step(std::nullopt);
    (void)co_await second->step(std::nullopt);
    const Answer b = co_await second->step(Secret(std::string_view("Yg==")));
    const Answer a = co_await first->step(Secret(std::string_view("YQ==")));
    co_return a.user + " " + b.user;
}

TEST(Dovecot, LoginsShareAConnectionAndDoNotMix)
{
    World world({.answers = {{"AUTH", "CONT\tID\t\n"},
                             {"CONT\t1\t", "OK\tID\tuser=first\n"},
                             {"CONT\t2\t", "OK\tID\tuser=second\n"}}});
    EXPECT_EQ(world.run(two_at_once(world.backend())), "first second");
    EXPECT_EQ(world.connections, 1);
}

TEST(Dovecot, CyrusIsToldEverythingAsTheClientSaidIt)
{
    World world({.answers = {{"AUTH", "FAIL\tID\treason=bad protocol / cancel\n"}}});
    Peer peer;
    peer.realm = "example.test";
    peer.security = plaintext | anonymous;
    EXPECT_EQ(world.run(log_in(world.backend(true), "foo", {"####"}, true, peer)), "failure bad protocol / cancel");
    EXPECT_EQ(world.heard.back(),
              "AUTH\t1\tfoo\tservice=smtp\tnologin\trealm=example.test\tsecprops=noplaintext,noanonymous\tresp=####");
}

TEST(Dovecot, AddressesThatNameNoServerAreRefused)
{
    for (const char* path : {"", "inet:", "inet:host", "inet::143", "inet:host:nonsense", "unix:"}) {
        DovecotOptions options;
        options.path = path;
        EXPECT_FALSE(make_dovecot(std::move(options))) << path;
    }
    for (const char* path :
         {"private/auth", "/run/dovecot/auth", "inet:127.0.0.1:1", "inet:[::1]:65535", "unix:private/auth"}) {
        DovecotOptions options;
        options.path = path;
        EXPECT_TRUE(make_dovecot(std::move(options))) << path;
    }
}

}  // namespace
}  // namespace ekiden::sasl
