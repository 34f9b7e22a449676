#include "check/policy_connections.hpp"
#include "check/rules.hpp"
#include "world.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

namespace ekiden::check {
namespace {

using test::World;
using Local = asio::local::stream_protocol;

const char* const stall = "stall";    // an answer that never comes

// Gives each connection its answers, in turn, and then closes it. Keeps what it was asked.
struct Server {
    std::vector<std::vector<std::string>> connections;
    std::vector<std::string> requests;
    std::size_t accepted = 0;

    asio::awaitable<void> serve(Local::acceptor& acceptor)
    {
        for (; accepted < connections.size(); ) {
            Local::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
            asio::co_spawn(acceptor.get_executor(), talk(std::move(socket), connections[accepted++]), asio::detached);
        }
    }
    asio::awaitable<void> talk(Local::socket socket, std::vector<std::string> answers)
    {
        std::string input;
        boost::system::error_code error;
        for (const std::string& answer : answers) {
            const std::size_t end = co_await asio::async_read_until(socket, asio::dynamic_buffer(input), "\n\n",
                                                                    asio::redirect_error(asio::use_awaitable, error));
            if (error) co_return;
            requests.push_back(input.substr(0, end));
            input.erase(0, end);
            if (answer == stall) {
                co_await asio::async_read_until(socket, asio::dynamic_buffer(input), "\n\n",
                                                asio::redirect_error(asio::use_awaitable, error));
                co_return;
            }
            co_await asio::async_write(socket, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, error));
        }
    }
};

struct Exchange {
    std::vector<std::string> replies;     // "" = permitted
    std::vector<std::string> requests;
    Verdict last;
    std::size_t connections = 0, kept = 0;
};

struct Everything {
    World& world;
    Exchange& exchange;
    std::vector<Facts> facts;
};

asio::awaitable<void, net::Executor> evaluate_all(Everything all)
{
    for (const Facts& facts : all.facts) {
        all.exchange.last = co_await all.world.policy->evaluate(Stage::rcpt, facts);
        all.exchange.replies.push_back(
            all.exchange.last.action == Verdict::Action::permit ? "" : smtp::one_line(all.exchange.last.reply));
    }
    all.exchange.kept = PolicyConnections::of(co_await asio::this_coro::executor).idle_count();
}

Exchange ask(World& world, std::vector<std::vector<std::string>> connections,
             std::vector<Facts> facts = {World::facts()})
{
    asio::io_context context(1);
    Local::acceptor acceptor(context, Local::endpoint(world.directory() + "/policy"));
    Server server{std::move(connections), {}};
    asio::co_spawn(context, server.serve(acceptor), asio::detached);
    Exchange exchange;
    std::exception_ptr error;
    asio::co_spawn(context.get_executor(), evaluate_all({world, exchange, std::move(facts)}),
                   [&](std::exception_ptr e) {
                       error = e;
                       context.stop();
                   });
    context.run();
    if (error) std::rethrow_exception(error);
    base::flush_log();
    exchange.requests = std::move(server.requests);
    exchange.connections = server.accepted;
    return exchange;
}

constexpr const char* problem =
    "451 4.3.5 <user1@golden.test>: Recipient address rejected: Server configuration problem";

TEST(PolicyService, CarriesOutWhatTheServerSays)
{
    struct {
        std::string answer;
        std::string want;
        const char* log;       // how the first line begins, "" if it does not matter
    } rows[] = {
        {"action=REJECT policy says no\n\n", "554 5.7.1 <user1@golden.test>: Recipient address rejected: policy says no", ""},
        {"action=DUNNO\n\n", "", ""},
        {"action=OK\n\n", "", ""},
        {"action=450 4.7.9 greylisted\n\n", "450 4.7.9 <user1@golden.test>: Recipient address rejected: greylisted", ""},
        {"other=1\naction=DEFER_IF_PERMIT wait\n\n", "450 4.7.1 <user1@golden.test>: Recipient address rejected: wait", ""},
        {"action=nonsense\n\n", "451 4.3.5 Server configuration error", "warning: unknown smtpd restriction: \"nonsense\""},
        {"action=999 no\n\n", "451 4.3.5 Server configuration error", "warning: unknown smtpd restriction: \"999\""},
        {"action=\n\n", "", "warning: access table { unix:@DIR@/policy, try_limit=1, timeout=2s, policy_context=here } entry  has empty value"},
        {"action=FILTER x\n\n", "", "warning: access table { unix:@DIR@/policy, try_limit=1, timeout=2s, policy_context=here } entry \"policy query\" requires transport:destination"},
        {"\n", problem, "warning: missing attribute action in input from @DIR@/policy"},
        {"hello\n\n", problem, "warning: missing attribute action in input from @DIR@/policy"},
        {"action=OK\n", problem, "warning: problem talking to server @DIR@/policy: Application error"},
        {"", problem, "warning: problem talking to server @DIR@/policy: Application error"},
        {"action=REJECT " + std::string(100'000, 'x') + "\n\n", problem, "warning: reply line too long in input from @DIR@/policy"},
        {"action=REJECT \xff\xfe\n\n", problem, "warning: malformed UTF-8 in policy server { unix:@DIR@/policy, try_limit=1, timeout=2s, policy_context=here } response: \"REJECT ??\""},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.answer.substr(0, 40));
        World world(
            "smtpd_recipient_restrictions = check_policy_service { unix:@DIR@/policy, try_limit=1, timeout=2s, policy_context=here }\n");
        const Exchange exchange = ask(world, {{row.answer}});
        EXPECT_EQ(exchange.replies[0], row.want);
        ASSERT_EQ(exchange.requests.size(), 1u);
        EXPECT_TRUE(exchange.requests[0].starts_with("request=smtpd_access_policy\nprotocol_state=RCPT\n"));
        EXPECT_NE(exchange.requests[0].find("policy_context=here\n"), std::string::npos);
        if (!*row.log) continue;
        std::string want = row.log;
        if (const auto at = want.find("@DIR@"); at != std::string::npos) want.replace(at, 5, world.directory());
        ASSERT_FALSE(world.log.empty());
        EXPECT_EQ(world.log[0], want);
    }
}

TEST(PolicyService, HeadersCannotBeSmuggled)
{
    World world("smtpd_recipient_restrictions = check_policy_service unix:@DIR@/policy\n");
    const Exchange exchange = ask(world, {{std::string("action=PREPEND X-A: b\r\rEvil: c\x0b\0d\n\n", 35)}});
    ASSERT_EQ(exchange.last.prepend.size(), 1u);
    EXPECT_EQ(exchange.last.prepend[0].find_first_of(std::string_view("\r\n\0\x0b", 4)), std::string::npos);
}

TEST(PolicyService, AsksAgainAndBoundsTheAnswer)
{
    World world(
        "smtpd_recipient_restrictions = check_policy_service { unix:@DIR@/policy, try_limit=3, retry_delay=1s }\n");
    std::string endless;
    for (int i = 0; i < 1000; ++i) endless += "attribute=value\n";
    const Exchange exchange = ask(world, {{""}, {endless}, {"action=DUNNO\n\n"}});
    EXPECT_EQ(exchange.replies[0], "");
    EXPECT_EQ(exchange.requests.size(), 3u);
}

TEST(PolicyService, SilenceEndsInTheDefaultAction)
{
    World world(
        "smtpd_recipient_restrictions = check_policy_service { unix:@DIR@/policy, try_limit=1, timeout=1s, default_action=DUNNO }\n");
    const Exchange exchange = ask(world, {{stall}});
    EXPECT_EQ(exchange.replies[0], "");
    EXPECT_EQ(world.log, std::vector<std::string>{"warning: problem talking to server " + world.directory() +
                                                  "/policy: Connection timed out"});
    EXPECT_EQ(exchange.kept, 0u);
}

TEST(PolicyService, ConnectionsAreKept)
{
    const char* const ok = "action=DUNNO\n\n";
    const auto facts = std::vector<Facts>(3, World::facts());
    struct {
        const char* name;
        const char* parameters;
        std::vector<std::vector<std::string>> connections;
        std::size_t want_connections, want_kept;
    } rows[] = {
        {"one for all", "", {{ok, ok, ok, stall}}, 1, 1},
        {"the server closes after each answer", "", {{ok}, {ok}, {ok, stall}}, 3, 1},
        {"the server dies at the second question", "", {{ok, ""}, {ok, ok, stall}}, 2, 1},
        {"two requests each", ", request_limit=2", {{ok, ok, stall}, {ok, stall}}, 2, 1},
        {"more was said than asked", "", {{"action=DUNNO\n\naction=REJECT late\n\n", stall}, {ok, ok, stall}}, 2, 1},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        World world("smtpd_recipient_restrictions = check_policy_service { unix:@DIR@/policy" +
                    std::string(row.parameters) + " }\n");
        const Exchange exchange = ask(world, row.connections, facts);
        EXPECT_EQ(exchange.replies, std::vector<std::string>(3));
        EXPECT_EQ(exchange.connections, row.want_connections);
        EXPECT_EQ(exchange.kept, row.want_kept);
        EXPECT_EQ(world.log, std::vector<std::string>());
    }
}

TEST(PolicyService, NobodyListens)
{
    World world("smtpd_recipient_restrictions = check_policy_service { unix:@DIR@/nothing, retry_delay=1s }\n");
    EXPECT_EQ(world.rcpt(World::facts()), problem);
    const std::string where = world.directory() + "/nothing: No such file or directory";
    ASSERT_GE(world.log.size(), 4u);
    for (const std::size_t i : {0u, 2u}) {
        EXPECT_EQ(world.log[i], "warning: connect to " + where);
        EXPECT_EQ(world.log[i + 1], "warning: problem talking to server " + where);
    }
}

}  // namespace
}  // namespace ekiden::check
