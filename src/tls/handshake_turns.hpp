// Handshakes of one core take turns: one step of one of them, then everything else that is ready on the core, then the
// next step. Thread: the core's own.
#pragma once

#include "net/task.hpp"

#include <deque>
#include <functional>

namespace ekiden::tls {

class HandshakeTurns : public asio::execution_context::service {
public:
    using key_type = HandshakeTurns;
    static asio::execution_context::id id;

    explicit HandshakeTurns(asio::execution_context& context) : service(context) {}

    // Those of the core that runs the caller.
    static HandshakeTurns& of(const net::Executor& executor)
    {
        return asio::use_service<HandshakeTurns>(executor.context());
    }

    // Returns when it is the caller's turn; the step is what it does before it awaits anything again.
    Task<void> wait(net::Executor executor);
    std::size_t waiting() const { return waiting_.size(); }

private:
    void shutdown() override { waiting_.clear(); }
    void next(net::Executor executor);
    std::deque<std::function<void()>> waiting_;
    bool is_taken_ = false;
};

}  // namespace ekiden::tls
