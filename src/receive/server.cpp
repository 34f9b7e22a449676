#include "receive/server.hpp"

#include "net/gate.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace ekiden::receive {

namespace {

// How long the stress lasts after the last time that the limit was reached: sessions shall not change their manners from
// one minute to the next.
constexpr std::chrono::seconds stress_time{1000};

bool has_own_stress(const config::ServiceSpec& service)
{
    return std::ranges::any_of(service.overrides, [](const auto& entry) { return entry.first == "stress"; });
}

bool mentions_stress(const config::Settings& settings)
{
    return std::ranges::any_of(settings.names_set(),
                               [&](const std::string& name) { return settings.raw(name).contains("stress"); });
}

// "postfix/submission/smtpd" → "postfix/anvil": those whose lines these are in Postfix know nothing of the service's name.
Logger logger_of(const Options& options, std::string_view program)
{
    const std::string& tag = options.logger.tag();
    return Logger(tag.substr(0, tag.find('/')) + "/" + std::string(program));
}

net::Endpoint local_endpoint(int socket)
{
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    if (storage.ss_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
        return {boost::asio::ip::address_v4(ntohl(in->sin_addr.s_addr)), ntohs(in->sin_port)};
    }
    if (storage.ss_family != AF_INET6) return {};
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&storage);
    boost::asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &in->sin6_addr, bytes.size());
    return {boost::asio::ip::address_v6(bytes), ntohs(in->sin6_port)};
}

}  // namespace

ServerSettings ServerSettings::make(config::SettingsPtr settings, const config::ServiceSpec& service,
                                    std::shared_ptr<const rewrite::Resolver> resolver,
                                    std::shared_ptr<const rewrite::Intake> intake, dns::Resolver& dns,
                                    std::function<void(const std::string& domain)> flush,
                                    std::function<Task<void>(Complaint complaint)> complain, net::BlockingPool* pool,
                                    std::shared_ptr<verify::Verifier> verifier)
{
    auto made = std::make_shared<Service>();
    made->options = Options::from(*settings, service);
    made->policy = check::Policy::make(settings, resolver, dns, made->options.logger, verifier);
    made->tls = tls::Server::make(made->options.tls, made->options.logger);
    made->logins = make_logins(*settings, service, pool, made->options.logger);
    made->intake = std::move(intake);
    made->resolver = &dns;
    made->flush = std::move(flush);
    made->complain = std::move(complain);
    ServerSettings result;
    result.service_ = made;
    if (made->options.process_limit > 0 && !has_own_stress(service)) {
        const auto under_stress = settings->with({{"stress", "yes"}});
        auto stressed = std::make_shared<Service>(*made);
        stressed->options = Options::from(*under_stress, service);
        // Lists that were written with stress in mind, and how long a session waits for an address to be verified. The other
        // defaults of postconf(5) mention it in options only.
        const char* const patience = "address_verify_poll_count";
        if (mentions_stress(*settings) || under_stress->integer(patience) != settings->integer(patience))
            stressed->policy =
                check::Policy::make(under_stress, std::move(resolver), dns, stressed->options.logger, verifier);
        result.stressed_ = std::move(stressed);
    }
    return result;
}

// What the cores share; sessions keep it alive.
struct Server::Common {
    ClientTable clients;
    Counters counters;
    std::vector<std::weak_ptr<PerCore>> cores;
    std::atomic<int> paused{0};     // cores that left connections in the backlog
    std::atomic<SteadyTime::rep> stressed_until{0};     // since epoch; 0: never was
    std::uint16_t port = 0;         // of the first listener
    bool is_public = false;         // somebody else than this machine can connect

    bool is_stressed() const
    {
        return base::steady_now().time_since_epoch().count() < stressed_until.load(std::memory_order_relaxed);
    }
    void note_full(const Options& options)
    {
        const bool is_news = !is_stressed();
        stressed_until.store((base::steady_now() + stress_time).time_since_epoch().count(), std::memory_order_relaxed);
        if (!is_news) return;
        const Logger log = logger_of(options, "master");
        log.warning(
            "service \"{}\" ({}) has reached its process limit \"{}\": new clients may experience noticeable delays",
            options.service_name, port, options.process_limit);
        log.warning(
            "to avoid this condition, increase the process count in master.cf or reduce the service time per client");
        log.warning(
            "see https://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration settings");
    }
};

struct Server::PerCore : std::enable_shared_from_this<Server::PerCore> {
    PerCore(net::Core& c, std::shared_ptr<Common> all, const ServerSettings& settings)
        : core(c), common(std::move(all)), service(settings.service()), stressed(settings.stressed()),
          gate(c.executor()), status_timer(c.executor())
    {
    }

    void listen(Fd socket)
    {
        listeners.push_back(std::make_unique<net::Listener>(
            core, std::move(socket),
            [this](net::TcpSocket accepted, net::Endpoint peer, net::Endpoint local) {
                on_connection(std::move(accepted), peer, local);
            },
            [this](int error) {
                service->options.logger.warning("accept connection: {}; clients wait until others leave",
                                                std::system_category().message(error));
            }));
    }

    void on_connection(net::TcpSocket socket, net::Endpoint peer, net::Endpoint local)
    {
        const int open = common->counters.open.fetch_add(1) + 1;
        asio::co_spawn(core.executor(), serve(shared_from_this(), std::move(socket), peer, local), asio::detached);
        const int limit = service->options.process_limit;
        if (limit <= 0 || open < limit) return;
        common->note_full(service->options);
        pause();
        // The others learn of it a moment later; each may let one more in meanwhile.
        for (auto& weak : common->cores) {
            if (auto other = weak.lock(); other && other.get() != this) other->core.post([other] { other->pause(); });
        }
    }

    bool is_full() const
    {
        return service->options.process_limit > 0 && common->counters.open.load() >= service->options.process_limit;
    }

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
    static Task<void> serve(std::shared_ptr<PerCore> self, net::TcpSocket socket, net::Endpoint peer,
                            net::Endpoint local)
    {
        auto pass = self->gate.enter();
        {
            const bool is_stressed = self->stressed && self->common->is_public && self->common->is_stressed();
            Session session(net::make_stream(std::move(socket)), is_stressed ? self->stressed : self->service,
                            self->common->clients, self->common->counters, peer, local);
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

    // On one core of the service, until it stops.
    static Task<void> report_rates(std::shared_ptr<PerCore> self)
    {
        auto pass = self->gate.enter();
        while (!self->gate.is_closed()) {
            self->status_timer.expires_after(self->service->options.limits.status_interval);
            boost::system::error_code ended;
            co_await self->status_timer.async_wait(asio::redirect_error(use_task, ended));
            const ServicePtr service = self->service;    // a reload may have brought another
            const Options& options = service->options;
            const Logger log = logger_of(options, "anvil");
            for (const auto& line :
                 self->common->clients.take_statistics().lines(options.service_name, options.limits.rate_unit))
                log.info("{}", line);
        }
    }

    Task<void> drain(std::chrono::seconds limit)
    {
        for (auto& listener : listeners) listener->stop();
        gate.close();
        status_timer.cancel();
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
    ServicePtr service, stressed;            // for connections that come from now on
    net::Gate gate;
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, net::Executor>
        status_timer;
    std::vector<std::unique_ptr<net::Listener>> listeners;
    std::unordered_set<Session*> sessions;
    bool is_paused = false;
};

Server::Server(net::Cores& cores, ServerSettings settings, std::vector<std::vector<Fd>> sockets)
    : common_(std::make_shared<Common>()), sockets_(std::move(sockets))
{
    for (std::size_t i = 0; i < cores.size(); ++i) {
        cores_.push_back(std::make_shared<PerCore>(cores.at(i), common_, settings));
        common_->cores.push_back(cores_.back());
    }
}

Server::~Server() = default;

void Server::start()
{
    for (const auto& address : sockets_) {
        const net::Endpoint own = address.empty() ? net::Endpoint() : local_endpoint(address.front().get());
        if (common_->port == 0) common_->port = own.port;
        if (!own.address.is_loopback()) common_->is_public = true;
    }
    auto reporter = cores_.front();
    reporter->core.post(
        [reporter] { asio::co_spawn(reporter->core.executor(), PerCore::report_rates(reporter), asio::detached); });
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
    for (auto& core : cores_) core->core.post([core, settings] {
        core->service = settings.service();
        core->stressed = settings.stressed();
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
