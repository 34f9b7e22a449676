#include "receive/limits.hpp"

#include <gtest/gtest.h>

namespace ekiden::receive {
namespace {

using namespace std::chrono_literals;

net::Address address(const char* text) { return *net::parse_address(text); }

TEST(ClientTable, keys_are_networks)
{
    auto same = [](const char* a, const char* b) {
        return ClientTable::key_of(address(a), 24, 84) == ClientTable::key_of(address(b), 24, 84);
    };
    EXPECT_TRUE(same("192.0.2.1", "192.0.2.200"));
    EXPECT_FALSE(same("192.0.2.1", "192.0.3.1"));
    EXPECT_TRUE(same("2001:db8::1", "2001:db8::ffff"));
    EXPECT_FALSE(same("2001:db8::1", "2001:db8:0:0:0:1000::1"));
    EXPECT_FALSE(ClientTable::key_of(address("0.0.0.0"), 32, 128) == ClientTable::key_of(address("::"), 32, 128));
}

TEST(ClientTable, counts_connections_and_rates)
{
    base::FixedClock clock(WallTime(1'700'000'000s));
    ClientTable table;
    const auto key = ClientTable::key_of(address("192.0.2.1"), 32, 128);
    EXPECT_EQ(table.connect(key, 60s).rate, 1);
    const auto second = table.connect(key, 60s);
    EXPECT_EQ(second.now, 2);
    EXPECT_EQ(second.rate, 2);
    table.disconnect(key, 60s);
    clock.advance(59s);
    EXPECT_EQ(table.connect(key, 60s).rate, 3);
    clock.advance(1s);
    const auto later = table.connect(key, 60s);
    EXPECT_EQ(later.now, 3);
    EXPECT_EQ(later.rate, 1);
    EXPECT_EQ(table.count(key, ClientTable::Event::message, 60s), 1);
    EXPECT_EQ(table.count(key, ClientTable::Event::message, 60s), 2);
    EXPECT_EQ(table.count(key, ClientTable::Event::recipient, 60s), 1);
}

TEST(ClientTable, looks_without_counting)
{
    base::FixedClock clock(WallTime(1'700'000'000s));
    ClientTable table;
    const auto key = ClientTable::key_of(address("2001:db8::1"), 32, 84);
    const auto event = ClientTable::Event::tls_session;
    EXPECT_EQ(table.count_so_far(key, event, 60s), 0);
    EXPECT_EQ(table.size(), 0u);
    EXPECT_EQ(table.count(key, event, 60s), 1);
    EXPECT_EQ(table.count_so_far(key, event, 60s), 1);
    EXPECT_EQ(table.count_so_far(key, ClientTable::Event::authentication, 60s), 0);
    clock.advance(60s);
    EXPECT_EQ(table.count_so_far(key, event, 60s), 0);
}

TEST(ClientTable, says_who_did_most)
{
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    base::FixedClock clock(WallTime(1'700'000'000s));
    ClientTable table;
    const auto a = ClientTable::key_of(address("192.0.2.1"), 32, 84);
    const auto b = ClientTable::key_of(address("2001:db8::1:2"), 32, 84);
    table.connect(a, 60s);
    table.connect(b, 60s);
    clock.advance(1s);
    table.connect(b, 60s);
    table.disconnect(b, 60s);
    clock.advance(1s);
    table.connect(b, 60s);
    table.count(a, ClientTable::Event::authentication, 60s);
    const std::vector<std::string> want{
        "statistics: max connection rate 3/60s for (smtp:2001:db8::) at Nov 14 22:13:22",
        "statistics: max connection count 2 for (smtp:2001:db8::) at Nov 14 22:13:21",
        "statistics: max auth rate 1/60s for (smtp:192.0.2.1) at Nov 14 22:13:22",
        "statistics: max cache size 2 at Nov 14 22:13:20"};
    EXPECT_EQ(table.take_statistics().lines("smtp", 60s), want);
    EXPECT_TRUE(table.take_statistics().lines("smtp", 60s).empty());
}

TEST(ClientTable, forgets_who_is_gone)
{
    base::FixedClock clock(WallTime(1'700'000'000s));
    ClientTable table;
    for (unsigned i = 0; i < 100'000; ++i) {
        const auto key = ClientTable::key_of(boost::asio::ip::address_v4(0x0A000000u + i), 32, 128);
        table.connect(key, 60s);
        table.disconnect(key, 60s);
        clock.advance(100ms);   // ten a second: some six hundred belong to the last minute
    }
    EXPECT_LT(table.size(), 64u * 128u);
}

}  // namespace
}  // namespace ekiden::receive
