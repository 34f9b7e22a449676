// Real sockets on the loopback interface: listeners, connections, cores and the pool for blocking work.
#include "net/blocking.hpp"
#include "net/connect.hpp"
#include "net/gate.hpp"
#include "net/last_words.hpp"
#include "net/listener.hpp"
#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

#include <future>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

namespace ekiden::net {
namespace {

using namespace std::chrono_literals;

std::uint16_t port_of(const Fd& socket)
{
    sockaddr_in address{};
    socklen_t length = sizeof address;
    getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.sin_port);
}

Task<void> echo(StreamPtr stream)
{
    std::array<char, 1024> buffer;
    while (auto count = co_await stream->read_some(buffer)) {
        if (!co_await stream->write(std::string_view(buffer.data(), *count))) break;
    }
}

Task<std::string> talk(Endpoint to)
{
    ConnectOptions options;
    options.time_limit = 5s;
    options.bind_address = parse_address("127.0.0.3");
    auto stream = co_await connect_tcp(to, options);
    if (!stream) co_return stream.error().text();
    (*stream)->set_time_limit(5s);
    auto written = co_await (*stream)->write("hello");
    if (!written) co_return written.error().text();
    std::array<char, 16> buffer;
    auto count = co_await (*stream)->read_some(buffer);
    co_return count ? std::string(buffer.data(), *count) : count.error().text();
}

TEST(loopback, accepts_on_a_core_and_knows_both_ends)
{
    Cores cores(2);
    auto socket = listen_tcp({*parse_address("127.0.0.1"), 0}, 16);
    ASSERT_TRUE(socket) << socket.error().text();
    const Endpoint where{*parse_address("127.0.0.1"), port_of(*socket)};
    std::string peer_seen;
    std::string local_seen;
    Listener listener(cores.at(0), std::move(*socket), [&](TcpSocket accepted, Endpoint peer, Endpoint local) {
        peer_seen = format_address(peer.address);
        local_seen = format_endpoint(local);
        asio::co_spawn(cores.at(0).context(), echo(make_stream(std::move(accepted))), asio::detached);
    });
    cores.start();
    EXPECT_EQ(asio::co_spawn(cores.at(1).context(), talk(where), asio::use_future).get(), "hello");
    cores.stop();
    EXPECT_EQ(peer_seen, "127.0.0.3");
    EXPECT_EQ(local_seen, format_endpoint(where));
}

Task<void> say_two_last_words(StreamPtr stream)
{
    std::array<char, 4> buffer;
    (void)co_await stream->read_some(buffer);
    hold_last_words(*stream);
    EXPECT_TRUE(co_await stream->write("good"));
    EXPECT_TRUE(co_await stream->write("bye"));
    end_writing(*stream);
    EXPECT_FALSE(co_await stream->write("too late"));
    // What was sent before this says nothing is still to be had.
    std::string rest;
    while (auto count = co_await stream->read_some(buffer)) rest.append(buffer.data(), *count);
    EXPECT_EQ(rest, "unheard");
    stream->close();
}

TEST(loopback, last_words_arrive_with_the_end_of_the_stream)
{
    Cores cores(1);
    auto socket = listen_tcp({*parse_address("127.0.0.1"), 0}, 16);
    ASSERT_TRUE(socket);
    const Endpoint where{*parse_address("127.0.0.1"), port_of(*socket)};
    Listener listener(cores.at(0), std::move(*socket), [&](TcpSocket accepted, Endpoint, Endpoint) {
        asio::co_spawn(cores.at(0).context(), say_two_last_words(make_stream(std::move(accepted))), asio::detached);
    });
    cores.start();
    const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(where.port);
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::send(client.get(), "talkunheard", 11, MSG_NOSIGNAL), 11);
    // One read has both words: they came in one packet.
    std::array<char, 64> heard;
    ASSERT_EQ(::recv(client.get(), heard.data(), heard.size(), 0), 7);
    EXPECT_EQ(std::string_view(heard.data(), 7), "goodbye");
    EXPECT_EQ(::recv(client.get(), heard.data(), heard.size(), 0), 0);
    ::shutdown(client.get(), SHUT_WR);
    cores.stop();
}

TEST(loopback, a_paused_listener_leaves_connections_waiting)
{
    Cores cores(1);
    auto socket = listen_tcp({*parse_address("127.0.0.1"), 0}, 16);
    ASSERT_TRUE(socket);
    const Endpoint where{*parse_address("127.0.0.1"), port_of(*socket)};
    std::atomic<int> accepted{0};
    Listener listener(cores.at(0), std::move(*socket), [&](TcpSocket connection, Endpoint, Endpoint) {
        ++accepted;
        asio::co_spawn(cores.at(0).context(), echo(make_stream(std::move(connection))), asio::detached);
    });
    listener.pause();
    cores.start();
    auto answer = asio::co_spawn(cores.at(0).context(), talk(where), asio::use_future);
    EXPECT_EQ(answer.wait_for(30ms), std::future_status::timeout);
    EXPECT_EQ(accepted, 0);
    cores.at(0).post([&] { listener.resume(); });
    EXPECT_EQ(answer.get(), "hello");
    cores.stop();
}

TEST(loopback, survives_running_out_of_descriptors)
{
    Cores cores(1);
    auto socket = listen_tcp({*parse_address("127.0.0.1"), 0}, 16);
    ASSERT_TRUE(socket);
    const Endpoint where{*parse_address("127.0.0.1"), port_of(*socket)};
    Listener listener(cores.at(0), std::move(*socket), [&](TcpSocket connection, Endpoint, Endpoint) {
        asio::co_spawn(cores.at(0).context(), echo(make_stream(std::move(connection))), asio::detached);
    });
    // The client's socket is made before the limit falls; the server then cannot accept it.
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(client, 0);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 3;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    cores.start();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(where.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool is_connected = ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const bool is_written = ::write(client, "x", 1) == 1;
    char byte = 0;
    const ssize_t too_early = ::recv(client, &byte, 1, MSG_DONTWAIT);
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_TRUE(is_connected);
    EXPECT_TRUE(is_written);
    EXPECT_LT(too_early, 0);
    EXPECT_EQ(::recv(client, &byte, 1, 0), 1);   // accepted after the pause
    EXPECT_EQ(byte, 'x');
    ::close(client);
    cores.stop();
}

TEST(connect, speaks_postfix_words)
{
    test::Loop loop;
    auto socket = listen_tcp({*parse_address("127.0.0.1"), 0}, 1);
    ASSERT_TRUE(socket);
    const Endpoint where{*parse_address("127.0.0.1"), port_of(*socket)};
    socket->reset();
    auto refused = loop.run(connect_tcp(where, {}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(), "Connection refused");
    ConnectOptions foreign;
    foreign.bind_address = parse_address("192.0.2.1");
    auto unbound = loop.run(connect_tcp(where, foreign));
    ASSERT_FALSE(unbound);
    EXPECT_EQ(unbound.error().text(), "Cannot assign requested address");
    foreign.is_bind_required = false;
    auto not_bound = loop.run(connect_tcp(where, foreign));
    ASSERT_FALSE(not_bound);
    EXPECT_EQ(not_bound.error().text(), "Connection refused");
    auto missing = loop.run(connect_unix("/nonexistent/socket", 5s));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().text(), "No such file or directory");
    EXPECT_FALSE(loop.run(connect_unix(std::string(300, 'x'), 5s)));
}

TEST(connect, gives_up_after_its_time_limit)
{
    test::Loop loop;
    // A full backlog: further connections get no answer from the kernel.
    auto socket = listen_tcp({*parse_address("127.0.0.1"), 0}, 0);
    ASSERT_TRUE(socket);
    const Endpoint where{*parse_address("127.0.0.1"), port_of(*socket)};
    std::vector<StreamPtr> fillers;
    ConnectOptions options;
    options.time_limit = 1s;
    Result<StreamPtr> last;
    for (int i = 0; i < 8; ++i) {
        last = loop.run(connect_tcp(where, options));
        if (!last) break;
        fillers.push_back(std::move(*last));
    }
    ASSERT_FALSE(last);
    EXPECT_TRUE(last.error().is(ErrorCode::timeout));
    EXPECT_EQ(last.error().text(), "Connection timed out");
}

// Accepts what waits when it is called, and answers.
Task<bool> make_room(const Fd& listener, bool& is_done)
{
    const Fd accepted(::accept(listener.get(), nullptr, nullptr));
    is_done = true;
    co_return bool(accepted);
}

Task<Result<StreamPtr>> connect_while_room_is_made(std::string path, const Fd& listener, bool& is_done)
{
    asio::co_spawn(co_await this_executor(), make_room(listener, is_done), asio::detached);
    co_return co_await connect_unix(path, 5s);
}

TEST(connect, waits_for_its_turn_at_a_socket_with_a_full_backlog)
{
    const std::string path = testing::TempDir() + "full." + std::to_string(getpid());
    auto listener = listen_unix(path, 0, 0600);
    ASSERT_TRUE(listener) << listener.error().text();
    test::Loop loop;
    auto first = loop.run(connect_unix(path, 5s));
    ASSERT_TRUE(first) << first.error().text();
    auto late = loop.run(connect_unix(path, 1s));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().text(), "Connection timed out");
    bool is_done = false;
    auto second = loop.run(connect_while_room_is_made(path, *listener, is_done));
    ASSERT_TRUE(second) << second.error().text();
    EXPECT_TRUE(is_done);
    EXPECT_TRUE(loop.run((*second)->write("hello")));
    unlink(path.c_str());
}

TEST(unix_listener, replaces_a_stale_socket_but_no_file)
{
    const std::string folder = testing::TempDir() + "listener." + std::to_string(getpid());
    ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
    const std::string path = folder + "/socket";
    ASSERT_TRUE(listen_unix(path, 4, 0600));
    auto socket = listen_unix(path, 4, 0666);
    ASSERT_TRUE(socket) << socket.error().text();
    Cores cores(1);
    UnixListener listener(cores.at(0), std::move(*socket), [&](UnixSocket accepted) {
        asio::co_spawn(cores.at(0).context(), echo(make_stream(std::move(accepted))), asio::detached);
    });
    cores.start();
    test::Loop loop;
    auto stream = loop.run(connect_unix(path, 5s));
    ASSERT_TRUE(stream) << stream.error().text();
    ASSERT_TRUE(loop.run((*stream)->write("hi")));
    std::array<char, 8> buffer;
    EXPECT_EQ(loop.run((*stream)->read_some(buffer)).value_or(0), 2u);
    cores.stop();
    ASSERT_EQ(unlink(path.c_str()), 0);
    ASSERT_TRUE(base::replace_file(path, "precious", 0600));
    EXPECT_FALSE(listen_unix(path, 4, 0600));
    EXPECT_EQ(access(path.c_str(), F_OK), 0);
    unlink(path.c_str());
    rmdir(folder.c_str());
}

Task<int> count_on_the_pool(BlockingPool& pool, std::thread::id& core, std::thread::id& pool_thread,
                            std::thread::id& after)
{
    core = std::this_thread::get_id();
    const int value = co_await pool.run([&pool_thread] {
        pool_thread = std::this_thread::get_id();
        return 7;
    });
    co_await pool.run([] {});
    after = std::this_thread::get_id();
    bool was_thrown = false;
    try {
        co_await pool.run([]() -> int { throw std::runtime_error("from the pool"); });
    } catch (const std::runtime_error& error) {
        was_thrown = std::string_view(error.what()) == "from the pool";
    }
    co_return was_thrown ? value : -1;
}

TEST(blocking_pool, runs_elsewhere_and_comes_back)
{
    Cores cores(1);
    cores.start();
    {
        BlockingPool pool(2);
        std::thread::id core, pool_thread, after;
        EXPECT_EQ(
            asio::co_spawn(cores.at(0).context(), count_on_the_pool(pool, core, pool_thread, after), asio::use_future)
                .get(),
            7);
        EXPECT_NE(core, pool_thread);
        EXPECT_EQ(core, after);
    }
    cores.stop();
}

Task<void> wait_long(Gate& gate, bool& is_destroyed)
{
    struct Watch {
        bool* flag;
        ~Watch() { *flag = true; }
    } watch{&is_destroyed};
    auto pass = gate.enter();
    co_await sleep_for(1h);
}

Task<std::thread::id> thread_of() { co_return std::this_thread::get_id(); }

Task<bool> visit(Core& other)
{
    const auto here = std::this_thread::get_id();
    const auto there = co_await run_on(other.executor(), thread_of());
    co_return there != here && here == std::this_thread::get_id();
}

TEST(cores, run_on_comes_back_and_stop_destroys_what_is_pending)
{
    Cores cores(2);
    EXPECT_EQ(cores.size(), 2u);
    EXPECT_NE(&cores.next(), &cores.next());
    EXPECT_GE(usable_cpus(), 1u);
    cores.start();
    EXPECT_TRUE(asio::co_spawn(cores.at(0).context(), visit(cores.at(1)), asio::use_future).get());
    bool is_destroyed = false;
    Gate gate(cores.at(0).executor());
    std::promise<void> started;
    cores.at(0).post([&] {
        asio::co_spawn(cores.at(0).context(), wait_long(gate, is_destroyed), asio::detached);
        cores.at(0).post([&] { started.set_value(); });
    });
    started.get_future().wait();
    cores.stop();
    EXPECT_TRUE(is_destroyed);
}

}  // namespace
}  // namespace ekiden::net
