// Connections to policy servers, kept open between requests: one pool per core (per io_context), so that no lock and no
// hand-over is needed. A connection waits at most max_idle and lives at most max_ttl; one that the server closed, or on
// which it said something unasked, is never used again. Bounded: `idle_per_server`, `idle_per_core`. Requests of one
// message (same `instance`) prefer the connection of the last one, as the protocol promises.
#pragma once

#include "check/restriction.hpp"
#include "net/deadline.hpp"
#include "net/stream.hpp"

#include <deque>
#include <unordered_map>

namespace ekiden::check {

struct PolicyConnection {
    net::StreamPtr stream;
    SteadyTime opened_at, expires_at;
    int requests = 0;
    std::string instance;      // of the last request
};

class PolicyConnections final : public asio::execution_context::service {
public:
    using key_type = PolicyConnections;
    static asio::execution_context::id id;
    static constexpr std::size_t idle_per_server = 50, idle_per_core = 500;

    explicit PolicyConnections(asio::execution_context& context);
    // The pool of the running core.
    static PolicyConnections& of(const net::Executor& executor);

    // An idle connection that is still good, or nothing.
    std::optional<PolicyConnection> take(const std::string& server, std::string_view instance);
    // After a complete exchange. Closes it instead when its time or number of requests is over.
    void keep(const std::string& server, PolicyConnection connection, const PolicyServer& limits);
    std::size_t idle_count() const { return idle_count_; }

private:
    void shutdown() override;
    void sweep();
    void schedule_sweep();
    std::unordered_map<std::string, std::deque<PolicyConnection>> idle_;    // oldest first
    std::size_t idle_count_ = 0;
    std::optional<net::Timer> timer_;
    bool is_sweeping_ = false, is_shut_down_ = false;
};

}  // namespace ekiden::check
