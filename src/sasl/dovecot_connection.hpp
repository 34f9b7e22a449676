// One connection to a server of Dovecot's protocol: many logins share it, told apart by their numbers. One per core and
// server, found through DovecotConnections and living on that core; when it breaks, whoever waits on it learns so at once
// and the next who asks makes a new one.
//
// Every wait ends within the time limit given. An answer nobody waits for is passed over; one that nobody who speaks the
// protocol would give, or a silence as long as the limit, is the end of the connection.
#pragma once

#include "net/deadline.hpp"
#include "net/stream.hpp"
#include "sasl/dovecot_protocol.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

namespace ekiden::sasl {

class DovecotConnection : public std::enable_shared_from_this<DovecotConnection> {
public:
    // How to get there; may be called at any time from a coroutine of the connection's core.
    using Connect = std::function<Task<Result<net::StreamPtr>>(std::chrono::seconds limit)>;

    DovecotConnection(net::Executor executor, Connect connect) : executor_(executor), connect_(std::move(connect)) {}

    // Waits for the server's greeting. Trouble of connecting is `unavailable` with the system's words for it, silence is
    // `timeout`.
    Task<Result<void>> ready(std::chrono::milliseconds limit);
    bool is_open() const { return state_ == State::open; }
    // What the server can do; valid once it is ready.
    const MechanismList& mechanisms() const { return mechanisms_; }
    bool is_dead() const { return state_ == State::dead; }

    std::uint32_t next_id() { return ++last_id_; }
    // Sends `line`, which carries `id`, and waits for the answer to it.
    Task<Result<DovecotLine>> ask(std::uint32_t id, Secret line, std::chrono::milliseconds limit);
    void cancel(std::uint32_t id);
    void close(Error why);    // everyone who waits is told
    void abandon() { state_ = State::dead; }    // the core ends: nothing more is begun

private:
    enum class State : std::uint8_t { fresh, connecting, open, dead };
    struct Waiter;
    static Task<void> run(std::shared_ptr<DovecotConnection> self);
    static Task<void> send_waiting(std::shared_ptr<DovecotConnection> self);
    Task<Result<void>> open();
    Task<Error> read_answers();
    bool send(Secret line);    // false: too much waits already
    void wake(std::vector<Waiter*>& waiters);

    net::Executor executor_;
    Connect connect_;
    State state_ = State::fresh;
    std::optional<Error> why_dead_;
    net::StreamPtr stream_;
    MechanismList mechanisms_;
    std::uint32_t last_id_ = 0;
    SteadyTime heard_at_{};
    std::vector<Waiter*> greeting_waiters_;
    std::unordered_map<std::uint32_t, Waiter*> pending_;
    std::deque<Secret> outgoing_;
    std::size_t outgoing_bytes_ = 0;
    bool is_sending_ = false;
};

// The connections of one core (of one io_context).
class DovecotConnections final : public asio::execution_context::service {
public:
    using key_type = DovecotConnections;
    static asio::execution_context::id id;
    explicit DovecotConnections(asio::execution_context& context) : service(context) {}
    static DovecotConnections& of(const net::Executor& executor)
    {
        return asio::use_service<DovecotConnections>(executor.context());
    }

    // The connection to `server`, a new one if there is none that lives.
    std::shared_ptr<DovecotConnection> get(const std::string& server, const net::Executor& executor,
                                           const DovecotConnection::Connect& connect);

private:
    void shutdown() override
    {
        for (auto& [server, connection] : connections_) connection->abandon();
        connections_.clear();
    }
    std::map<std::string, std::shared_ptr<DovecotConnection>> connections_;
};

}  // namespace ekiden::sasl
