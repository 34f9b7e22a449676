#include "net/stream.hpp"

#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>

namespace ekiden::net {
namespace {

using namespace std::chrono_literals;
using test::Loop;

struct Pair {
    StreamPtr a, b;
    std::string name;
};

Pair unix_pair(Loop& loop)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) throw std::runtime_error("socketpair");
    UnixSocket a(loop.executor(), asio::local::stream_protocol(), fds[0]);
    UnixSocket b(loop.executor(), asio::local::stream_protocol(), fds[1]);
    return {make_stream(std::move(a)), make_stream(std::move(b)), "unix"};
}

Pair memory_pair(Loop& loop)
{
    auto pipe = make_memory_pipe(loop.executor());
    return {std::move(pipe.a), std::move(pipe.b), "memory"};
}

constexpr auto kinds = {unix_pair, memory_pair};

Task<Result<void>> write_and_close(Stream& stream, std::vector<std::string_view> pieces)
{
    auto result = co_await stream.write(std::span<const std::string_view>(pieces));
    stream.close();
    co_return result;
}

Task<void> write_in_background(Stream& stream, std::vector<std::string_view> pieces)
{
    auto result = co_await write_and_close(stream, std::move(pieces));
    EXPECT_TRUE(result) << (result ? "" : result.error().text());
}

TEST(stream, gathers_pieces_in_order_and_ends_with_closed)
{
    const std::string big(700'000, 'x');   // more than any socket buffer takes at once
    std::vector<std::string> many;
    for (int i = 0; i < 300; ++i) many.push_back(std::to_string(i) + ",");
    std::vector<std::string_view> pieces{"", "one ", "", big, "two"};
    pieces.insert(pieces.end(), many.begin(), many.end());
    pieces.push_back("");
    std::string want;
    for (auto piece : pieces) want.append(piece);
    for (auto kind : kinds) {
        Loop loop;
        Pair pair = kind(loop);
        loop.start(write_in_background(*pair.a, pieces));
        EXPECT_EQ(loop.run(test::read_to_end(*pair.b)), want) << pair.name;
        std::array<char, 1> buffer;
        auto end = loop.run(pair.b->read_some(buffer));
        ASSERT_FALSE(end);
        EXPECT_TRUE(end.error().is(ErrorCode::closed)) << pair.name << ": " << end.error().text();
    }
}

TEST(stream, what_cannot_leave_at_once_is_left_to_write)
{
    const std::string big(700'000, 'x');
    for (auto kind : kinds) {
        Loop loop;
        Pair pair = kind(loop);
        const std::size_t sent = pair.a->write_now(big);
        EXPECT_LT(sent, big.size()) << pair.name;
        EXPECT_EQ(sent > 0, pair.name == "unix");
        loop.start(write_in_background(*pair.a, {std::string_view(big).substr(sent)}));
        EXPECT_EQ(loop.run(test::read_to_end(*pair.b)), big) << pair.name;

        pair.a->close();
        EXPECT_EQ(pair.a->write_now("x"), 0U) << pair.name;
        pair.b->set_deadline(base::steady_now() - 1ms);
        EXPECT_EQ(pair.b->write_now("x"), 0U) << pair.name;
    }
}

TEST(stream, deadline_ends_reads_and_writes)
{
    for (auto kind : kinds) {
        Loop loop;
        Pair pair = kind(loop);
        std::array<char, 16> buffer;
        pair.a->set_time_limit(1ms);
        auto read = loop.run(pair.a->read_some(buffer));
        ASSERT_FALSE(read);
        EXPECT_TRUE(read.error().is(ErrorCode::timeout)) << pair.name << ": " << read.error().text();
        read = loop.run(pair.a->read_some(buffer));   // until it is set anew
        ASSERT_FALSE(read);
        EXPECT_TRUE(read.error().is(ErrorCode::timeout)) << pair.name;

        const std::string big(4'000'000, 'x');
        pair.a->set_time_limit(2ms);
        auto written = loop.run(pair.a->write(big));
        ASSERT_FALSE(written);
        EXPECT_TRUE(written.error().is(ErrorCode::timeout)) << pair.name << ": " << written.error().text();

        pair.b->set_deadline(SteadyTime::max());
        auto some = loop.run(pair.b->read_some(buffer));
        EXPECT_TRUE(some) << pair.name;
    }
}

TEST(stream, a_later_deadline_counts_while_an_earlier_timer_runs)
{
    for (auto kind : kinds) {
        Loop loop;
        Pair pair = kind(loop);
        std::array<char, 16> buffer;
        pair.a->set_time_limit(1ms);
        (void)loop.run(pair.a->read_some(buffer));
        pair.a->set_time_limit(20ms);
        const auto before = std::chrono::steady_clock::now();
        auto read = loop.run(pair.a->read_some(buffer));
        ASSERT_FALSE(read);
        EXPECT_TRUE(read.error().is(ErrorCode::timeout));
        EXPECT_GE(std::chrono::steady_clock::now() - before, 18ms) << pair.name;
    }
}

Task<void> read_expecting(Stream& stream, ErrorCode want, bool& is_done)
{
    std::array<char, 16> buffer;
    auto read = co_await stream.read_some(buffer);
    EXPECT_FALSE(read);
    if (!read) { EXPECT_TRUE(read.error().is(want)) << read.error().text(); }
    is_done = true;
}

TEST(stream, close_ends_pending_operations_with_cancelled)
{
    for (auto kind : kinds) {
        Loop loop;
        Pair pair = kind(loop);
        bool is_done = false;
        loop.start(read_expecting(*pair.a, ErrorCode::cancelled, is_done));
        loop.poll();
        EXPECT_FALSE(is_done);
        pair.a->close();
        loop.poll();
        EXPECT_TRUE(is_done) << pair.name;
        auto later = loop.run(pair.a->write("x"));
        ASSERT_FALSE(later);
        EXPECT_TRUE(later.error().is(ErrorCode::cancelled)) << pair.name;
        EXPECT_EQ(pair.a->native_handle(), -1);
    }
}

TEST(stream, write_to_a_closed_peer_is_closed)
{
    for (auto kind : kinds) {
        Loop loop;
        Pair pair = kind(loop);
        pair.b->close();
        auto written = loop.run(pair.a->write("x"));
        ASSERT_FALSE(written) << pair.name;
        EXPECT_TRUE(written.error().is(ErrorCode::closed)) << pair.name << ": " << written.error().text();
    }
}

TEST(stream, tells_of_unread_bytes)
{
    for (auto kind : kinds) {
        Loop loop;
        Pair pair = kind(loop);
        EXPECT_FALSE(pair.b->has_unread_bytes());
        ASSERT_TRUE(loop.run(pair.a->write("x")));
        EXPECT_TRUE(pair.b->has_unread_bytes()) << pair.name;
        std::array<char, 4> buffer;
        (void)loop.run(pair.b->read_some(buffer));
        EXPECT_FALSE(pair.b->has_unread_bytes());
    }
}

Task<void> read_many(Stream& stream, int& reads, bool& is_over)
{
    std::array<char, 1> buffer;
    while (!is_over && co_await stream.read_some(buffer)) ++reads;
}

TEST(stream, a_busy_session_lets_others_run)
{
    Loop loop;
    Pair pair = unix_pair(loop);
    const std::string bytes(4000, 'x');
    ASSERT_TRUE(loop.run(pair.a->write(bytes)));
    bool is_over = false;
    int reads = 0;
    asio::post(loop.context(), [] {});
    loop.start(read_many(*pair.b, reads, is_over));
    loop.context().restart();
    // The coroutine starts, reads its share, and then the loop gets the turn back although bytes are left.
    while (reads == 0) loop.context().run_one();
    EXPECT_LT(reads, 100);
    is_over = true;
    loop.poll();
}

TEST(memory_pipe, breaks_and_stalls_where_it_is_told)
{
    Loop loop;
    auto pipe = make_memory_pipe(loop.executor());
    pipe.a_to_b->break_after(3, Error(ErrorCode::closed, "cut"));
    ASSERT_TRUE(loop.run(pipe.a->write("abcdef")));
    EXPECT_EQ(loop.run(test::read_to_end(*pipe.b)), "abc");
    EXPECT_FALSE(loop.run(pipe.a->write("more")));

    auto other = make_memory_pipe(loop.executor());
    other.a_to_b->stall_after(2);
    other.a_to_b->limit_reads(1);
    ASSERT_TRUE(loop.run(other.a->write("abcdef")));
    std::array<char, 16> buffer;
    other.b->set_time_limit(2ms);
    EXPECT_EQ(loop.run(other.b->read_some(buffer)).value_or(0), 1u);
    EXPECT_EQ(loop.run(other.b->read_some(buffer)).value_or(0), 1u);
    auto stalled = loop.run(other.b->read_some(buffer));
    ASSERT_FALSE(stalled);
    EXPECT_TRUE(stalled.error().is(ErrorCode::timeout));
}

}  // namespace
}  // namespace ekiden::net
