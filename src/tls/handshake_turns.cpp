#include "tls/handshake_turns.hpp"

#include <boost/asio/post.hpp>

#include <memory>

namespace ekiden::tls {

asio::execution_context::id HandshakeTurns::id;

Task<void> HandshakeTurns::wait(net::Executor executor)
{
    if (!is_taken_) {
        is_taken_ = true;
        asio::post(executor, [this, executor] { next(executor); });
        co_return;
    }
    auto enqueue = [this](auto handler) {
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        waiting_.push_back([kept] { (*kept)(); });
    };
    co_await asio::async_initiate<const net::UseTask, void()>(enqueue, net::use_task);
}

void HandshakeTurns::next(net::Executor executor)
{
    if (waiting_.empty()) {
        is_taken_ = false;
        return;
    }
    auto resume = std::move(waiting_.front());
    waiting_.pop_front();
    asio::post(executor, [this, executor] { next(executor); });
    resume();
}

}  // namespace ekiden::tls
