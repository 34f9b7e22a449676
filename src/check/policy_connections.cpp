#include "check/policy_connections.hpp"

#include <algorithm>

#include <sys/socket.h>

namespace ekiden::check {
namespace {

// Neither closed by the server nor with bytes that nobody asked for.
bool is_quiet(net::Stream& stream)
{
    char byte;
    return stream.native_handle() >= 0 && ::recv(stream.native_handle(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

asio::execution_context::id PolicyConnections::id;

PolicyConnections::PolicyConnections(asio::execution_context& context) : service(context)
{
    timer_.emplace(static_cast<asio::io_context&>(context).get_executor());
}

PolicyConnections& PolicyConnections::of(const net::Executor& executor)
{
    return asio::use_service<PolicyConnections>(executor.context());
}

// Called when the core ends, perhaps twice; sockets and timers go while the services they need are still there.
void PolicyConnections::shutdown()
{
    is_shut_down_ = true;
    idle_.clear();
    idle_count_ = 0;
    timer_.reset();
}

std::optional<PolicyConnection> PolicyConnections::take(const std::string& server, std::string_view instance)
{
    const auto found = idle_.find(server);
    if (found == idle_.end()) return std::nullopt;
    auto& waiting = found->second;
    std::optional<PolicyConnection> taken;
    while (!waiting.empty() && !taken) {
        // The one that served this message before, else the one used last: what is not needed any more may run out.
        auto best =
            instance.empty() ? waiting.end() : std::ranges::find(waiting, instance, &PolicyConnection::instance);
        if (best == waiting.end()) best = std::prev(waiting.end());
        PolicyConnection connection = std::move(*best);
        waiting.erase(best);
        --idle_count_;
        if (connection.expires_at > base::steady_now() && is_quiet(*connection.stream)) taken = std::move(connection);
    }
    if (waiting.empty()) idle_.erase(found);
    return taken;
}

void PolicyConnections::keep(const std::string& server, PolicyConnection connection, const PolicyServer& limits)
{
    if (is_shut_down_ || (limits.request_limit > 0 && connection.requests >= limits.request_limit)) return;
    const SteadyTime now = base::steady_now();
    connection.expires_at = std::min<SteadyTime>(now + limits.max_idle, connection.opened_at + limits.max_ttl);
    if (connection.expires_at <= now || idle_count_ >= idle_per_core) return;
    auto& waiting = idle_[server];
    if (waiting.size() >= idle_per_server) return;
    connection.stream->set_deadline(SteadyTime::max());
    waiting.push_back(std::move(connection));
    ++idle_count_;
    schedule_sweep();
}

void PolicyConnections::sweep()
{
    const SteadyTime now = base::steady_now();
    for (auto at = idle_.begin(); at != idle_.end();) {
        idle_count_ -= std::erase_if(at->second, [now](const PolicyConnection& c) { return c.expires_at <= now; });
        at = at->second.empty() ? idle_.erase(at) : std::next(at);
    }
    schedule_sweep();
}

void PolicyConnections::schedule_sweep()
{
    if (is_sweeping_ || idle_count_ == 0 || !timer_) return;
    SteadyTime first = SteadyTime::max();
    for (const auto& [server, waiting] : idle_) {
        for (const PolicyConnection& connection : waiting) first = std::min(first, connection.expires_at);
    }
    is_sweeping_ = true;
    // Not more than once a second: many that run out one after the other are closed together.
    timer_->expires_at(std::max<SteadyTime>(first, base::steady_now() + std::chrono::seconds(1)));
    timer_->async_wait([this](boost::system::error_code error) {
        if (error) return;
        is_sweeping_ = false;
        sweep();
    });
}

}  // namespace ekiden::check
