// tcp:HOST:PORT (tcp_table(5)) and socketmap:inet:HOST:PORT:NAME, socketmap:unix:PATH:NAME (socketmap_table(5)).
//
// Lookups block, so Maps moves them to the blocking pool. Connections are kept for the next lookup, a few for each table;
// one that has died in the meantime is replaced once. A lookup takes at most `time_limit`. After one that failed the table
// fails at once for a pause; then one lookup tries again, and until it has an answer the others still fail at once. So
// senders hear quickly that they have to come back, and a server that hangs takes one thread.
#include "table/openers.hpp"
#include "table/remote_replies.hpp"

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/locked.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace ekiden::table {

namespace {

constexpr auto time_limit = std::chrono::seconds(10);
constexpr auto pause_after_trouble = std::chrono::seconds(1);
constexpr std::size_t idle_limit = 4;

// Where the server is: "inet:HOST:PORT" or "unix:PATH".
struct Place {
    std::string host, port, path;
    std::string text;   // for messages
};

class Connection {
public:
    static Result<Connection> open(const Place& place, SteadyTime deadline)
    {
        return place.path.empty() ? open_inet(place, deadline) : open_unix(place, deadline);
    }
    Result<void> write(std::string_view bytes, SteadyTime deadline)
    {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            } else if (errno == EAGAIN || errno == EINTR) {
                EKIDEN_TRY(wait(fd_.get(), POLLOUT, deadline));
            } else {
                return fail(Error::from_errno("write"));
            }
        }
        return {};
    }
    Result<void> read_more(std::string& into, SteadyTime deadline)
    {
        char buffer[4096];
        for (;;) {
            const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
            if (got > 0) {
                into.append(buffer, static_cast<std::size_t>(got));
                return {};
            }
            if (got == 0) return fail(ErrorCode::closed, "unexpected disconnect");
            if (errno != EAGAIN && errno != EINTR) return fail(Error::from_errno("read"));
            EKIDEN_TRY(wait(fd_.get(), POLLIN, deadline));
        }
    }
    // Nothing may wait to be read on an idle connection: what does is an answer to nobody, or its end.
    bool is_quiet() const
    {
        pollfd watched{fd_.get(), POLLIN, 0};
        return ::poll(&watched, 1, 0) == 0;
    }

private:
    explicit Connection(Fd fd) : fd_(std::move(fd)) {}

    static Result<void> wait(int fd, short events, SteadyTime deadline)
    {
        for (;;) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - base::steady_now()).count();
            if (left <= 0) return fail(ErrorCode::timeout, "timeout");
            pollfd watched{fd, events, 0};
            const int ready = ::poll(&watched, 1, static_cast<int>(left));
            if (ready > 0) return {};
            if (ready < 0 && errno != EINTR) return fail(Error::from_errno("poll"));
        }
    }
    static Result<Connection> finish(Fd fd, const sockaddr* address, socklen_t length, SteadyTime deadline)
    {
        if (!fd) return fail(Error::from_errno("socket"));
        if (::connect(fd.get(), address, length) != 0) {
            if (errno != EINPROGRESS && errno != EAGAIN) return fail(Error::from_errno("connect"));
            EKIDEN_TRY(wait(fd.get(), POLLOUT, deadline));
            int error = 0;
            socklen_t size = sizeof error;
            if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
                return fail(Error::from_errno(error ? error : errno, "connect"));
        }
        return Connection(std::move(fd));
    }
    static Result<Connection> open_unix(const Place& place, SteadyTime deadline)
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (place.path.size() >= sizeof address.sun_path)
            return fail(ErrorCode::too_long, "the name of the socket is too long");
        std::memcpy(address.sun_path, place.path.data(), place.path.size());
        Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        return finish(std::move(fd), reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
    }
    static Result<Connection> open_inet(const Place& place, SteadyTime deadline)
    {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (const int error = ::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found); error != 0)
            return fail(ErrorCode::unavailable, std::string("host or service not found: ") + ::gai_strerror(error));
        const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, ::freeaddrinfo);
        Result<Connection> last = fail(ErrorCode::unavailable, "host not found");
        for (const addrinfo* at = found; at; at = at->ai_next) {
            Fd fd(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            last = finish(std::move(fd), at->ai_addr, at->ai_addrlen, deadline);
            if (last || base::steady_now() >= deadline) break;
        }
        return last;
    }

    Fd fd_;
};

class RemoteTable : public Table {
public:
    bool may_block() const override { return true; }

protected:
    RemoteTable(const OpenRequest& request, Place place) : Table(request.spec), place_(std::move(place)) {}

    // One exchange; `read` takes what came so far and gives the answer once it is whole.
    template <class Read>
    Answer ask(std::string_view query, Read read) const
    {
        {
            auto state = state_.lock();
            if (!state->trouble.empty()) {
                if (state->is_tried || base::steady_now() < state->rests_until)
                    return fail(ErrorCode::unavailable, spec() + ": " + state->trouble);
                state->is_tried = true;
            }
        }
        const SteadyTime deadline = base::steady_now() + time_limit;
        std::optional<Connection> connection = take_idle();
        bool is_old = connection.has_value();
        for (;;) {
            Answer answer = exchange(connection, query, deadline, read);
            const bool is_connection_trouble = !answer && connection == std::nullopt;
            if (is_connection_trouble && is_old && answer.error().code() != ErrorCode::timeout) {
                is_old = false;   // the server closed it while it was idle
                continue;
            }
            if (!is_connection_trouble) {
                is_well();
                if (answer || !answer.error().is(ErrorCode::protocol)) keep(std::move(*connection));
                if (!answer) return fail(ErrorCode::unavailable, spec() + " " + answer.error().text());
                return answer;
            }
            auto state = state_.lock();
            state->rests_until = base::steady_now() + pause_after_trouble;
            state->is_tried = false;
            state->trouble = answer.error().text();
            return fail(ErrorCode::unavailable, "table " + spec() + " lookup error: " + state->trouble);
        }
    }

private:
    // Trouble with the connection leaves none behind.
    template <class Read>
    Answer exchange(std::optional<Connection>& connection, std::string_view query, SteadyTime deadline, Read read) const
    {
        if (!connection) {
            auto fresh = Connection::open(place_, deadline);
            if (!fresh) return fail(ErrorCode::unavailable, "connect to " + place_.text + ": " + fresh.error().text());
            connection = std::move(*fresh);
        }
        auto sent = connection->write(query, deadline);
        std::string bytes;
        while (sent) {
            sent = connection->read_more(bytes, deadline);
            if (!sent) break;
            Result<std::optional<Answer>> whole = read(bytes);
            if (!whole) {
                sent = fail(std::move(whole).error());
                break;
            }
            if (*whole) return std::move(**whole);
        }
        connection.reset();
        return fail(std::move(sent).error());
    }
    std::optional<Connection> take_idle() const
    {
        auto state = state_.lock();
        while (!state->idle.empty()) {
            Connection connection = std::move(state->idle.back());
            state->idle.pop_back();
            if (connection.is_quiet()) return connection;
        }
        return std::nullopt;
    }
    void is_well() const
    {
        auto state = state_.lock();
        state->trouble.clear();
        state->is_tried = false;
    }
    void keep(Connection connection) const
    {
        auto state = state_.lock();
        if (state->idle.size() < idle_limit) state->idle.push_back(std::move(connection));
    }

    struct State {
        std::vector<Connection> idle;
        SteadyTime rests_until{};
        std::string trouble;        // why the last lookup failed; empty: it did not
        bool is_tried = false;      // after the pause, by one lookup
    };
    const Place place_;
    mutable base::Locked<State> state_;
};

class TcpTable final : public RemoteTable {
public:
    TcpTable(const OpenRequest& request, Place place) : RemoteTable(request, std::move(place)) {}
    Answer lookup(std::string_view key) const override
    {
        const std::string query = tcp_query(key);
        if (query.size() > max_tcp_reply) return std::nullopt;
        return ask(query, [](std::string_view bytes) -> Result<std::optional<Answer>> {
            const std::size_t newline = bytes.find('\n');
            if (newline == bytes.npos) {
                if (bytes.size() > max_tcp_reply) return fail(ErrorCode::too_long, "reply is too long");
                return std::optional<Answer>();
            }
            if (newline + 1 != bytes.size()) return fail(ErrorCode::protocol, "more than one reply");
            return std::optional<Answer>(parse_tcp_reply(bytes.substr(0, newline)));
        });
    }
};

class SocketmapTable final : public RemoteTable {
public:
    SocketmapTable(const OpenRequest& request, Place place, std::string name)
        : RemoteTable(request, std::move(place)), name_(std::move(name))
    {
    }
    Answer lookup(std::string_view key) const override
    {
        if (key.size() > max_socketmap_query) return std::nullopt;
        return ask(socketmap_query(name_, key), [](std::string_view bytes) -> Result<std::optional<Answer>> {
            EKIDEN_TRY_VALUE(inside, parse_netstring(bytes));
            if (!inside) return std::optional<Answer>();
            if (inside->end() + 1 != bytes.end()) return fail(ErrorCode::protocol, "more than one reply");
            return std::optional<Answer>(parse_socketmap_reply(*inside));
        });
    }

private:
    const std::string name_;
};

}  // namespace

Result<TablePtr> open_tcp(const OpenRequest& request)
{
    const std::size_t colon = request.name.rfind(':');
    if (colon == request.name.npos || colon == 0 || colon + 1 == request.name.size())
        return fail(ErrorCode::syntax, "bad syntax: \"" + request.spec + "\"; need \"tcp:host:port\"");
    std::string host = request.name.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return std::make_shared<TcpTable>(request, Place{host, request.name.substr(colon + 1), {}, request.name});
}

Result<TablePtr> open_socketmap(const OpenRequest& request)
{
    const auto bad = [&] {
        return fail(ErrorCode::syntax,
                    "bad syntax: \"" + request.spec +
                        "\"; need \"socketmap:inet:host:port:name\" or \"socketmap:unix:pathname:name\"");
    };
    const std::size_t last = request.name.rfind(':');
    if (last == request.name.npos || last + 1 == request.name.size()) return bad();
    const std::string name = request.name.substr(last + 1), where = request.name.substr(0, last);
    Place place{.text = where};
    if (where.starts_with("unix:") && where.size() > 5) {
        place.path = where.substr(5);
    } else if (const std::size_t port = where.rfind(':');
               where.starts_with("inet:") && port > 5 && port + 1 < where.size()) {
        place.host = where.substr(5, port - 5);
        place.port = where.substr(port + 1);
        if (place.host.starts_with('[') && place.host.ends_with(']'))
            place.host = place.host.substr(1, place.host.size() - 2);
    } else {
        return bad();
    }
    return std::make_shared<SocketmapTable>(request, std::move(place), name);
}

}  // namespace ekiden::table
