#include "receive/server.hpp"

#include "net/gate.hpp"

#include <unordered_set>

namespace ekiden::receive {

ServerSettings ServerSettings::make(config::SettingsPtr settings, const config::ServiceSpec& service, std::shared_ptr<const rewrite::Resolver> resolver,
                                    std::shared_ptr<const rewrite::Intake> intake, dns::Resolver& dns,
                                    std::function<void(const std::string& domain)> flush,
                                    std::function<Task<void>(Complaint complaint)> complain)
{
    auto made = std::make_shared<Service>();
    made->options = Options::from(*settings, service);
    made->policy = check::Policy::make(settings, std::move(resolver), dns, made->options.logger);
    made->intake = std::move(intake);
    made->resolver = &dns;
    made->flush = std::move(flush);
    made->complain = std::move(complain);
    ServerSettings result;
    result.service_ = std::move(made);
    return result;
}

// What the cores share; sessions keep it alive.
struct Server::Common {
    ClientTable clients;
    Counters counters;
    std::vector<std::weak_ptr<PerCore>> cores;
    std::atomic<int> paused{0};     // cores that left connections in the backlog
};

struct Server::PerCore : std::enable_shared_from_this<Server::PerCore> {
    PerCore(net::Core& c, std::shared_ptr<Common> all, ServicePtr settings) : core(c), common(std::move(all)), service(std::move(settings)), gate(c.executor()) {}

    void listen(Fd socket)
    {
        listeners.push_back(std::make_unique<net::Listener>(core, std::move(socket), [this](net::TcpSocket accepted, net::Endpoint peer, net::Endpoint local) {
            on_connection(std::move(accepted), peer, local);
        }));
    }

    void on_connection(net::TcpSocket socket, net::Endpoint peer, net::Endpoint local)
    {
        const int open = common->counters.open.fetch_add(1) + 1;
        asio::co_spawn(core.executor(), serve(shared_from_this(), std::move(socket), peer, local), asio::detached);
        const int limit = service->options.process_limit;
        if (limit <= 0 || open < limit) return;
        pause();
        // The others learn of it a moment later; each may let one more in meanwhile.
        for (auto& weak : common->cores) {
            if (auto other = weak.lock(); other && other.get() != this) other->core.post([other] { other->pause(); });
        }
    }

    bool is_full() const { return service->options.process_limit > 0 && common->counters.open.load() >= service->options.process_limit; }

    // Later connections wait in the backlog, as they do when all of Postfix's processes are busy.
    void pause()
    {
        if (is_paused || gate.is_closed()) return;
        is_paused = true;
        common->paused.fetch_add(1);
        for (auto& listener : listeners) listener->pause();
        if (!is_full()) resume();   // one ended meanwhile
    }

    void resume()
    {
        if (!is_paused || gate.is_closed() || is_full()) return;
        is_paused = false;
        common->paused.fetch_sub(1);
        for (auto& listener : listeners) listener->resume();
    }

    // A member of nothing: the session must not depend on the Server object, only on what it shares.
    static Task<void> serve(std::shared_ptr<PerCore> self, net::TcpSocket socket, net::Endpoint peer, net::Endpoint local)
    {
        auto pass = self->gate.enter();
        {
            Session session(net::make_stream(std::move(socket)), self->service, self->common->clients, self->common->counters, peer, local);
            self->sessions.insert(&session);
            co_await session.run();
            self->sessions.erase(&session);
        }
        self->common->counters.open.fetch_sub(1);
        if (self->common->paused.load() > 0) {
            for (auto& weak : self->common->cores) {
                if (auto other = weak.lock()) other->core.post([other] { other->resume(); });
            }
        }
    }

    Task<void> drain(std::chrono::seconds limit)
    {
        for (auto& listener : listeners) listener->stop();
        gate.close();
        // Not an iteration: closing one may end another's wait.
        const std::vector<Session*> now(sessions.begin(), sessions.end());
        for (Session* session : now) {
            if (sessions.contains(session)) session->finish_soon();
        }
        const auto until = base::steady_now() + limit;
        while (gate.count() > 0 && base::steady_now() < until) co_await net::sleep_for(std::chrono::milliseconds(20));
        const std::vector<Session*> left(sessions.begin(), sessions.end());
        for (Session* session : left) {
            if (sessions.contains(session)) session->close();
        }
        co_await gate.wait();
        listeners.clear();
    }

    net::Core& core;
    std::shared_ptr<Common> common;
    ServicePtr service;                      // for connections that come from now on
    net::Gate gate;
    std::vector<std::unique_ptr<net::Listener>> listeners;
    std::unordered_set<Session*> sessions;
    bool is_paused = false;
};

Server::Server(net::Cores& cores, ServerSettings settings, std::vector<std::vector<Fd>> sockets) : common_(std::make_shared<Common>()), sockets_(std::move(sockets))
{
    for (std::size_t i = 0; i < cores.size(); ++i) {
        cores_.push_back(std::make_shared<PerCore>(cores.at(i), common_, settings.service()));
        common_->cores.push_back(cores_.back());
    }
}

Server::~Server() = default;

void Server::start()
{
    for (auto& address : sockets_) {
        for (std::size_t i = 0; i < address.size(); ++i) {
            auto core = cores_[i % cores_.size()];
            auto socket = std::make_shared<Fd>(std::move(address[i]));
            core->core.post([core, socket] { core->listen(std::move(*socket)); });
        }
    }
    sockets_.clear();
}

void Server::replace_settings(ServerSettings settings)
{
    for (auto& core : cores_) core->core.post([core, service = settings.service()] {
        core->service = service;
        core->resume();   // the limit may be higher now
    });
}

Task<void> Server::stop(std::chrono::seconds limit)
{
    // All at once, not one after the other: the limit is for the whole.
    std::vector<std::shared_ptr<PerCore>> cores = cores_;
    const auto until = base::steady_now() + limit;
    for (auto& core : cores) core->core.post([core] {
        for (auto& listener : core->listeners) listener->stop();
    });
    for (auto& core : cores) {
        const auto left = std::chrono::duration_cast<std::chrono::seconds>(until - base::steady_now());
        co_await net::run_on(core->core.executor(), core->drain(std::max(left, std::chrono::seconds(0))));
    }
}

const Counters& Server::counters() const { return common_->counters; }

}  // namespace ekiden::receive
