#include "check/rules.hpp"
#include "world.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

namespace ekiden::check {
namespace {

using test::World;
using Local = asio::local::stream_protocol;

// Answers one request on each connection, in turn; keeps what it was asked.
struct Server {
    std::vector<std::string> answers;
    std::vector<std::string> requests;

    asio::awaitable<void> serve(Local::acceptor& acceptor)
    {
        for (const std::string& answer : answers) {
            Local::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
            std::string request;
            co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\n\n", asio::use_awaitable);
            requests.push_back(request);
            co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
        }
    }
};

struct Exchange {
    Verdict verdict;
    std::vector<std::string> requests;
};

Exchange ask(World& world, const std::string& path, std::vector<std::string> answers)
{
    asio::io_context context(1);
    Local::acceptor acceptor(context, Local::endpoint(path));
    Server server{std::move(answers), {}};
    asio::co_spawn(context, server.serve(acceptor), asio::detached);
    Exchange exchange;
    asio::co_spawn(context, world.policy->evaluate(Stage::rcpt, world.rcpt_facts), [&](std::exception_ptr, Verdict verdict) {
        exchange.verdict = std::move(verdict);
        acceptor.close();
    });
    context.run();
    base::flush_log();
    exchange.requests = std::move(server.requests);
    return exchange;
}

TEST(PolicyServiceExchange, CarriesOutWhatTheServerSays)
{
    struct {
        const char* answer;
        const char* want;
    } rows[] = {
        {"action=REJECT policy says no\n\n", "554 5.7.1 <user1@golden.test>: Recipient address rejected: policy says no"},
        {"action=DUNNO\n\n", ""},
        {"action=OK\n\n", ""},
        {"action=450 4.7.9 greylisted\n\n", "450 4.7.9 <user1@golden.test>: Recipient address rejected: greylisted"},
        {"other=1\naction=DEFER_IF_PERMIT wait\n\n", "450 4.7.1 <user1@golden.test>: Recipient address rejected: wait"},
        {"action=nonsense\n\n", "451 4.3.5 Server configuration error"},
        {"\n", "451 4.3.5 <user1@golden.test>: Recipient address rejected: Server configuration problem"},
        {"action=OK\n", "451 4.3.5 <user1@golden.test>: Recipient address rejected: Server configuration problem"},
        {"", "451 4.3.5 <user1@golden.test>: Recipient address rejected: Server configuration problem"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.answer);
        World world("smtpd_recipient_restrictions = check_policy_service { unix:@DIR@/policy, try_limit=1, timeout=2s, policy_context=here }\n");
        const Exchange exchange = ask(world, world.directory() + "/policy", {row.answer});
        EXPECT_EQ(exchange.verdict.action == Verdict::Action::permit ? "" : smtp::one_line(exchange.verdict.reply), row.want);
        ASSERT_EQ(exchange.requests.size(), 1u);
        EXPECT_TRUE(exchange.requests[0].starts_with("request=smtpd_access_policy\nprotocol_state=RCPT\n"));
        EXPECT_TRUE(exchange.requests[0].ends_with("policy_context=here\n\n"));
    }
}

TEST(PolicyServiceExchange, AsksAgainAndBoundsTheAnswer)
{
    World world("smtpd_recipient_restrictions = check_policy_service { unix:@DIR@/policy, try_limit=3, retry_delay=0s }\n");
    const Exchange exchange = ask(world, world.directory() + "/policy", {"", std::string(100'000, 'x') + "\n\n", "action=DUNNO\n\n"});
    EXPECT_EQ(exchange.verdict.action, Verdict::Action::permit);
    EXPECT_EQ(exchange.requests.size(), 3u);
}

}  // namespace
}  // namespace ekiden::check
