#include "tls/server.hpp"

#include "net/blocking.hpp"

namespace ekiden::tls {

namespace {
std::int64_t ticks(SteadyTime at)
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

std::vector<std::string> watched_files(const ServerOptions& options)
{
    std::vector<std::string> files = options.credentials.files();
    for (const std::string* more : {&options.ca_file, &options.dh_file}) {
        if (!more->empty()) files.push_back(*more);
    }
    return files;
}
}  // namespace

std::shared_ptr<Server> Server::make(ServerOptions options, Logger log)
{
    auto made = std::make_shared<Server>(std::move(options), std::move(log));
    if (!made->options_.is_used()) return made;
    for (const std::string& text : made->options_.warnings) made->log_.warning("{}", text);
    for (const std::string& text : made->options_.troubles) made->log_.warning("{}", text);
    if (made->options_.troubles.empty()) {
        auto active = made->active_.lock();
        active->state = state_of_files(watched_files(made->options_));
        made->load(*active, true);
    }
    made->look_at_.store(ticks(base::steady_now() + look_interval));
    return made;
}

ContextPtr Server::current() const { return active_.lock()->context; }

Task<ContextPtr> Server::context()
{
    const SteadyTime now = base::steady_now();
    std::int64_t due = look_at_.load(std::memory_order_relaxed);
    // One of those that come at this moment looks; the others take what there is.
    if (ticks(now) >= due && options_.is_used() && look_at_.compare_exchange_strong(due, ticks(now + look_interval))) {
        if (net::BlockingPool* pool = blocking_pool()) co_await pool->run([this] { look(); });
        else look();
    }
    co_return current();
}

void Server::look()
{
    if (!options_.troubles.empty()) return;
    std::string state = state_of_files(watched_files(options_));
    Active next;
    {
        auto active = active_.lock();
        if (active->state == state) return;
        next.context = active->context;
    }
    next.state = std::move(state);
    load(next, false);
    *active_.lock() = std::move(next);
}

void Server::load(Active& active, bool is_first)
{
    std::vector<std::string> warnings;
    auto made = make_context(options_, warnings);
    for (const std::string& text : warnings) log_.warning("{}", text);
    if (made) {
        active.context = std::move(*made);
        if (!is_first) log_.info("TLS certificates and keys were read anew");
        return;
    }
    const std::string& text = made.error().text();
    if (active.context) log_.warning("{}: the certificates and keys read before stay in force", text);
    else if (text.ends_with("enabled")) log_.warning("{}", text);
    else log_.warning("{}: disabling TLS support", text);
}

}  // namespace ekiden::tls
