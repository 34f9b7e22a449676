#include "dns/connect_host.hpp"

#include "net/listener.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>

namespace ekiden::dns {
namespace {

// Listens on 127.0.0.1; nobody listens at the same port of 127.0.0.2.
struct ConnectHost : testing::Test {
    Fd listener;
    std::uint16_t port = 0;
    FakeResolver resolver;

    ConnectHost()
    {
        auto made = net::listen_tcp({*net::parse_address("127.0.0.1"), 0}, 5, net::Share::first);
        if (!made) throw std::runtime_error(made.error().text());
        listener = std::move(*made);
        sockaddr_in own{};
        socklen_t length = sizeof own;
        if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0)
            throw std::runtime_error("getsockname");
        port = ntohs(own.sin_port);
        resolver.add("first.refuses.test", {Type::a, "", *net::parse_address("127.0.0.2")});
        resolver.add("first.refuses.test", {Type::a, "", *net::parse_address("127.0.0.1")});
        resolver.add("refuses.test", {Type::a, "", *net::parse_address("127.0.0.2")});
        resolver.fail("trouble.test", Type::a);
        resolver.fail("trouble.test", Type::aaaa);
    }
    std::optional<Error> connect(std::string host)
    {
        auto stream = test::run_task(connect_host(resolver, std::move(host), port, std::chrono::seconds(5)));
        if (stream) return std::nullopt;
        return std::move(stream).error();
    }
};

TEST_F(ConnectHost, TriesEachAddress)
{
    EXPECT_FALSE(connect("127.0.0.1"));
    EXPECT_TRUE(resolver.asked.empty());
    EXPECT_FALSE(connect("first.refuses.test"));
}

TEST_F(ConnectHost, TellsAbsenceFromTrouble)
{
    const auto refused = connect("refuses.test"), absent = connect("absent.test"), trouble = connect("trouble.test");
    ASSERT_TRUE(refused && absent && trouble);
    EXPECT_EQ(refused->text(), "Connection refused");
    EXPECT_TRUE(absent->is(ErrorCode::not_found)) << absent->text();
    EXPECT_FALSE(trouble->is(ErrorCode::not_found)) << trouble->text();
}

}  // namespace
}  // namespace ekiden::dns
