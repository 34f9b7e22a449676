#include "tls/ticket_keys.hpp"

#include <gtest/gtest.h>

namespace ekiden::tls {
namespace {

using namespace std::chrono_literals;

TEST(ticket_keys, seal_for_one_lifetime_and_open_for_two)
{
    TicketKeys keys;
    const SteadyTime start = base::steady_now();
    const auto first = keys.current(start, 100s);
    ASSERT_TRUE(first);
    EXPECT_EQ(keys.current(start + 99s, 100s)->name, first->name);
    const auto second = keys.current(start + 100s, 100s);
    EXPECT_NE(second->name, first->name);
    EXPECT_NE(second->cipher, first->cipher);
    EXPECT_NE(second->digest, first->digest);

    auto found = keys.find(first->name.data(), start + 50s, 100s);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->is_current);
    found = keys.find(first->name.data(), start + 199s, 100s);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->is_current) << "opens the ticket, and the client gets a new one";
    EXPECT_EQ(found->key.cipher, first->cipher);
    EXPECT_FALSE(keys.find(first->name.data(), start + 200s, 100s));
    const std::array<unsigned char, 16> stranger{};
    EXPECT_FALSE(keys.find(stranger.data(), start, 100s));
}

TEST(ticket_keys, old_ones_are_forgotten_and_their_number_is_bounded)
{
    TicketKeys keys;
    const SteadyTime start = base::steady_now();
    for (int i = 0; i < 100; ++i) (void)keys.current(start + i * 10s, 10s);
    EXPECT_LE(keys.size(), 3u);
    (void)keys.current(start + 1000s, 10000s);
    for (int i = 0; i < 100; ++i) (void)keys.current(start + 2000s + i * 1s, 1s);
    EXPECT_LE(keys.size(), 16u);
}

}  // namespace
}  // namespace ekiden::tls
