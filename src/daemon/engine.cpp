#include "daemon/engine.hpp"

#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "base/privileged_read.hpp"
#include "base/text.hpp"
#include "check/policy.hpp"
#include "config/program_settings.hpp"
#include "config/settings.hpp"
#include "daemon/control_server.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/messages.hpp"
#include "daemon/privileges.hpp"
#include "daemon/process.hpp"
#include "daemon/refused_mail.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/transports.hpp"
#include "dns/resolver.hpp"
#include "mail/idna.hpp"
#include "mail/log_address.hpp"
#include "mail/queue_id.hpp"
#include "net/blocking.hpp"
#include "net/cores.hpp"
#include "queue/store.hpp"
#include "receive/pickup.hpp"
#include "receive/server.hpp"
#include "report/bounce.hpp"
#include "report/postmaster.hpp"
#include "rewrite/intake.hpp"
#include "rewrite/resolve.hpp"
#include "schedule/scheduler.hpp"
#include "table/inquiries.hpp"
#include "table/maps.hpp"
#include "tls/context.hpp"
#include "verify/verifier.hpp"

#include <boost/asio/use_future.hpp>

#include <condition_variable>
#include <csignal>
#include <future>
#include <map>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

using config::SettingsPtr;

constexpr unsigned pool_threads = 16;                       // file deliveries, log reads
constexpr unsigned table_threads = 16;                      // tables that ask others, changed table files
constexpr const char* usual_cleanup = "cleanup";
constexpr std::chrono::seconds session_drain_limit{3};      // stop: what an idle client may take to finish a command
constexpr std::chrono::seconds delivery_drain_limit{20};    // stop: deliveries under way; the rest is in the log

// Sockets that the master handed over, by service and endpoint.
struct Sockets {
    std::string service, endpoint;
    std::vector<Fd> fds;
};

// Everything that is made anew from one settings snapshot.
struct Generation {
    SettingsPtr settings;
    std::shared_ptr<const rewrite::Resolver> resolver;
    std::shared_ptr<const rewrite::Intake> intake;                                // of cleanup itself
    std::map<std::string, std::shared_ptr<const rewrite::Intake>> intakes;  // of each cleanup line, with its -o entries
    SettingsPtr pickup;                                                           // of the pickup line
    std::shared_ptr<const report::Bouncer> bouncer;
    std::shared_ptr<const deliver::Transports> transports;
    schedule::WorldPtr world;

    // What the service with these settings hands its mail to (cleanup_service_name). Postfix would wait for a service
    // that is not there for as long as it runs, and so would every client.
    const std::shared_ptr<const rewrite::Intake>& intake_of(const config::Settings& own) const
    {
        const std::string name = own.str("cleanup_service_name");
        const auto found = intakes.find(name);
        if (found != intakes.end()) return found->second;
        const config::Location at = own.location("cleanup_service_name");
        throw config::ConfigError(
            fmt::format("{}: line {}: cleanup_service_name = {}: master.cf has no cleanup service of that name",
                        at.file, at.line, name),
            at);
    }
};

// A line without entries of its own shares what main.cf says.
SettingsPtr own_settings(const SettingsPtr& settings, const config::ServiceSpec& service)
{
    return service.overrides.empty() ? settings : settings->for_service(service);
}

SettingsPtr load(const std::string& directory)
{
    config::LoadOptions options;
    options.directory = directory;
    return config::Settings::load(options);
}

class Engine {
public:
    Engine(std::string directory, Fd channel) : directory_(std::move(directory)), channel_(std::move(channel)) {}
    int run();

private:
    Result<void> collect_sockets();          // until "go"
    Result<void> start();
    Generation make_generation(SettingsPtr settings);
    receive::ServerSettings server_settings(const Generation& generation, const config::ServiceSpec& service);
    void start_servers(const Generation& generation, std::vector<Sockets> sockets);
    void use_log_files(const config::Settings& settings);
    void reload();
    void stop();
    template <class T>
    void wait_for(Task<T> task, std::chrono::seconds limit);

    std::string directory_;
    Fd channel_, control_socket_;
    LogFiles log_files_;             // handed over and not in use yet
    bool moves_log_ = false;         // with the next reload
    int log_fd_ = -1, json_fd_ = -1; // in use: the log owns them
    std::vector<Sockets> sockets_;
    Owner owner_;

    std::unique_ptr<net::Cores> cores_;
    std::unique_ptr<net::BlockingPool> pool_;
    std::unique_ptr<net::BlockingPool> table_pool_; // a table that hangs must not hold up deliveries
    std::unique_ptr<net::BlockingPool> tls_pool_;   // looks at certificates; never behind a slow delivery
    std::unique_ptr<queue::Store> store_;
    std::unique_ptr<dns::Resolver> dns_;
    std::unique_ptr<deliver::Helper> helper_;
    std::shared_ptr<verify::Verifier> verifier_;
    std::mutex generation_mutex_;
    Generation generation_;
    std::unique_ptr<schedule::Scheduler> scheduler_;
    std::unique_ptr<receive::Pickup> pickup_;
    struct RunningServer {
        std::string service, endpoints;
        std::unique_ptr<receive::Server> server;
    };
    std::vector<RunningServer> servers_;
    std::unique_ptr<ControlServer> control_;
};

Result<void> Engine::collect_sockets()
{
    for (;;) {
        EKIDEN_TRY_VALUE(message, receive_message(channel_.get()));
        auto words = base::split_any(message.text, " ");
        if (words.empty()) continue;
        if (words[0] == "socket" && words.size() == 3) {
            sockets_.push_back({std::string(words[1]), std::string(words[2]), std::move(message.descriptors)});
        } else if (words[0] == "control" && message.descriptors.size() == 1) {
            control_socket_ = std::move(message.descriptors[0]);
        } else if (words[0] == "helper" && message.descriptors.size() == 1) {
            helper_ = std::make_unique<deliver::Helper>(std::move(message.descriptors[0]));
        } else if (words[0] == "log" && message.descriptors.size() == 1) {
            log_files_.lines = std::move(message.descriptors[0]);
        } else if (words[0] == "json-log" && message.descriptors.size() == 1) {
            log_files_.json = std::move(message.descriptors[0]);
        } else if (words[0] == "go") {
            return {};
        }
    }
}

Generation Engine::make_generation(SettingsPtr settings)
{
    // Tables that only root may read are opened with the one capability that was kept for it.
    base::PrivilegedRead guard;
    Generation g;
    g.settings = settings;
    mail::use_long_queue_ids(settings->boolean("enable_long_queue_ids"));
    mail::use_transitional_idna(settings->boolean("enable_idna2003_compatibility"));
    mail::use_log_address_form(settings->str("info_log_address_format") == "internal");
    g.resolver = rewrite::Resolver::make(config::settings_of_program(settings, "trivial-rewrite"));
    for (const config::ServiceSpec& service : settings->services()) {
        if (service.command == "cleanup")
            g.intakes[service.name] =
                rewrite::Intake::make(own_settings(settings, service), g.resolver, *store_, dns_.get());
        if (service.command == "pickup" && !g.pickup) g.pickup = own_settings(settings, service);
    }
    if (!g.pickup) g.pickup = settings;
    if (auto& usual = g.intakes[usual_cleanup]; !usual)
        usual = rewrite::Intake::make(settings, g.resolver, *store_, dns_.get());
    g.intake = g.intakes[usual_cleanup];
    (void)g.intake_of(*g.pickup);
    verify::Verifier::check(*config::settings_of_program(settings, "verify"));
    g.bouncer = report::Bouncer::make(config::settings_of_program(settings, "bounce"), g.intake);
    g.transports = deliver::Transports::make(settings, {*dns_, *pool_, g.intake, helper_.get()});
    g.world = schedule::make_world(config::settings_of_program(settings, "qmgr"), g.resolver, g.transports, g.bouncer,
                                   *store_, verifier_);
    return g;
}

receive::ServerSettings Engine::server_settings(const Generation& generation, const config::ServiceSpec& service)
{
    base::PrivilegedRead guard;
    SettingsPtr own = generation.settings->for_service(service);
    auto postmaster = report::Postmaster::make(own, generation.intake);
    auto made = receive::ServerSettings::make(
        own, service, generation.resolver, generation.intake_of(*own), *dns_,
        [this](const std::string& domain) { scheduler_->flush_site(domain); },
        [postmaster](receive::Complaint complaint) {
            return postmaster->tell_of_session({std::move(complaint.client), std::move(complaint.transcript),
                                                std::move(complaint.reason), complaint.is_bounce});
        },
        pool_.get(), verifier_);
    for (const config::Problem& problem : made.service()->policy->problems()) {
        if (problem.level == config::Problem::Level::fatal) throw config::ConfigError(problem.text, problem.at);
    }
    return made;
}

void Engine::start_servers(const Generation& generation, std::vector<Sockets> sockets)
{
    std::vector<RunningServer> running;
    for (const config::ServiceSpec& service : generation.settings->services()) {
        if (service.type != "inet" || service.command != "smtpd") continue;
        std::string endpoints;
        std::vector<std::vector<Fd>> own;
        for (Sockets& entry : sockets) {
            if (entry.service != service.name) continue;
            endpoints += entry.endpoint + " ";
            own.push_back(std::move(entry.fds));
        }
        auto settings = server_settings(generation, service);
        // A service that listens where it listened keeps its sockets and its sessions.
        auto old = std::find_if(servers_.begin(), servers_.end(), [&](const RunningServer& s) {
            return s.server && s.service == service.name && s.endpoints == endpoints;
        });
        if (old != servers_.end()) {
            old->server->replace_settings(std::move(settings));
            running.push_back(std::move(*old));
            continue;
        }
        auto server = std::make_unique<receive::Server>(*cores_, std::move(settings), std::move(own));
        server->start();
        running.push_back({service.name, endpoints, std::move(server)});
    }
    std::swap(servers_, running);
    // What no longer stands in master.cf ends when its sessions have ended.
    for (RunningServer& gone : running) {
        if (gone.server)
            wait_for(gone.server->stop(session_drain_limit), session_drain_limit + std::chrono::seconds(1));
    }
}

template <class T>
void Engine::wait_for(Task<T> task, std::chrono::seconds limit)
{
    auto done = asio::co_spawn(cores_->at(0).context(), std::move(task), asio::use_future);
    if (done.wait_for(limit) == std::future_status::ready) done.get();
}

void Engine::use_log_files(const config::Settings& settings)
{
    log_fd_ = log_files_.lines ? log_files_.lines.get() : -1;
    json_fd_ = log_files_.json ? log_files_.json.get() : -1;
    open_inherited_log(settings, std::exchange(log_files_, {}));
}

Result<void> Engine::start()
{
    SettingsPtr settings = load(directory_);
    import_environment(*settings);
    use_log_files(*settings);
    EKIDEN_TRY_VALUE(owner, find_owner(*settings));
    owner_ = owner;
    EKIDEN_TRY(become_engine(owner_));
    EKIDEN_TRY(forbid_programs());
    ::umask(0077);

    queue::StoreOptions options;
    options.directory = settings->str("queue_directory") + "/log";
    options.minimum_free = static_cast<std::uint64_t>(settings->integer("queue_minfree"));
    EKIDEN_TRY_VALUE(store, queue::open_store(options));
    store_ = std::move(store);

    cores_ = std::make_unique<net::Cores>(0);
    pool_ = std::make_unique<net::BlockingPool>(pool_threads);
    table_pool_ = std::make_unique<net::BlockingPool>(table_threads);
    table::use_blocking_pool(table_pool_.get());
    tls_pool_ = std::make_unique<net::BlockingPool>(1);
    tls::use_blocking_pool(tls_pool_.get());
    dns::ResolverOptions dns_options;
    dns_options.server = settings->str("ekiden_dns_server");
    EKIDEN_TRY_VALUE(dns, dns::open_resolver(dns_options));
    dns_ = std::move(dns);

    net::Core& home = cores_->at(0);
    verifier_ = std::make_shared<verify::Verifier>(home.executor(), *pool_);
    generation_ = make_generation(settings);
    verifier_->use(config::settings_of_program(settings, "verify"), generation_.intake);
    scheduler_ = std::make_unique<schedule::Scheduler>(*cores_, home, *store_, generation_.world);
    store_->listen(scheduler_.get());
    cores_->start();
    scheduler_->start();

    pickup_ = std::make_unique<receive::Pickup>(home, *pool_, settings->str("queue_directory") + "/maildrop",
                                                generation_.intake_of(*generation_.pickup), generation_.pickup);
    const std::string cleanup = settings->str("syslog_name") + "/cleanup";
    pickup_->on_refused([this, cleanup](mail::Envelope envelope, rewrite::Refusal why) {
        std::lock_guard lock(generation_mutex_);
        return bounce_refused_mail(generation_.bouncer, std::move(envelope), std::move(why), generation_.intake,
                                   Logger(cleanup));
    });
    pickup_->start();
    if (control_socket_) {
        ControlServer::Needs needs{home, *pool_, *store_, *scheduler_, [this] { pickup_->wake(); },
                                   [this] {
                                       std::lock_guard lock(generation_mutex_);
                                       return generation_.intake;
                                   }};
        control_ = std::make_unique<ControlServer>(std::move(needs), std::move(control_socket_));
        control_->start();
    }
    start_servers(generation_, std::exchange(sockets_, {}));
    return {};
}

void Engine::reload()
{
    std::vector<Sockets> sockets = std::exchange(sockets_, {});
    const bool moves_log = std::exchange(moves_log_, false);
    try {
        Generation fresh = make_generation(load(directory_));
        // Everything that can fail has been made: from here on it is a swap.
        for (const config::ServiceSpec& service : fresh.settings->services()) {
            if (service.type == "inet" && service.command == "smtpd") (void)server_settings(fresh, service);
        }
        verifier_->use(config::settings_of_program(fresh.settings, "verify"), fresh.intake);
        scheduler_->use(fresh.world);
        pickup_->use(fresh.intake_of(*fresh.pickup), fresh.pickup);
        start_servers(fresh, std::move(sockets));
        std::shared_ptr<const deliver::Transports> old = generation_.transports;
        // The master says so: what it compared may have been written anew by the time we read it.
        if (moves_log) use_log_files(*fresh.settings);
        {
            std::lock_guard lock(generation_mutex_);
            generation_ = std::move(fresh);
        }
        for (const auto& [name, transport] : old->all()) transport.agent->close_idle();
        (void)send_message(channel_.get(), "reloaded");
    } catch (const std::exception& error) {
        log_files_ = {};
        (void)send_message(channel_.get(), fmt::format("failed {}", error.what()).substr(0, 4000));
    }
}

// Refuse new work, wait for the old, then close the log: everything acknowledged is on disk anyway, this only spares
// the next start some scanning and the far sides some duplicates.
void Engine::stop()
{
    for (RunningServer& running : servers_)
        wait_for(running.server->stop(session_drain_limit), session_drain_limit + std::chrono::seconds(1));
    if (control_) wait_for(control_->stop(), std::chrono::seconds(5));
    if (pickup_) wait_for(pickup_->stop(), std::chrono::seconds(5));
    if (scheduler_) wait_for(scheduler_->stop(), delivery_drain_limit);
    if (verifier_) wait_for(verifier_->stop(), std::chrono::seconds(5));
    if (store_) store_->stop();
    for (const auto& [table, counts] : table::Inquiries::all()) {
        if (counts.found + counts.absent + counts.trouble + counts.remembered == 0) continue;
        Logger("postfix/proxymap")
            .info("statistics: table {}: found {}, absent {}, trouble {}, remembered {}, longest {} ms", table,
                  counts.found, counts.absent, counts.trouble, counts.remembered, counts.longest.count());
    }
    base::flush_log();
}

int Engine::run()
{
    Logger logger("postfix/master");
    auto refuse = [&](const std::string& text) {
        logger.fatal("{}", text);
        (void)send_message(channel_.get(), ("failed " + text).substr(0, 4000));
        base::flush_log();
        return 1;
    };
    try {
        if (auto got = collect_sockets(); !got) return refuse(got.error().text());
        if (auto started = start(); !started) return refuse(started.error().text());
    } catch (const std::exception& error) {
        return refuse(error.what());
    }
    if (auto told = send_message(channel_.get(), "ready"); !told) logger.warning("{}", told.error().text());

    for (;;) {
        auto message = receive_message(channel_.get());
        if (!message) {
            logger.warning("the master is gone; stopping");
            break;
        }
        auto words = base::split_any(message->text, " ");
        if (words.empty()) continue;
        if (words[0] == "stop") break;
        if (words[0] == "reload") reload();
        else if (words[0] == "move-log") {
            log_files_ = {};
            moves_log_ = true;
        } else if (words[0] == "log" && message->descriptors.size() == 1)
            log_files_.lines = std::move(message->descriptors[0]);
        else if (words[0] == "json-log" && message->descriptors.size() == 1)
            log_files_.json = std::move(message->descriptors[0]);
        else if (words[0] == "socket" && words.size() == 3)
            sockets_.push_back({std::string(words[1]), std::string(words[2]), std::move(message->descriptors)});
        else if (words[0] == "helper" && message->descriptors.size() == 1 && helper_)
            helper_->use(std::move(message->descriptors[0]));
        else if ((words[0] == "reopen-log" || words[0] == "reopen-json-log") && message->descriptors.size() == 1) {
            const int open = words[0] == "reopen-log" ? log_fd_ : json_fd_;
            base::flush_log();
            if (open >= 0 && ::dup2(message->descriptors[0].get(), open) < 0)
                logger.warning("reopening the log failed");
        }
    }
    stop();
    // Threads and coroutines that did not end in time end with the process; the log has all that matters.
    ::_exit(0);
}

}  // namespace

int run_engine(const std::string& directory)
{
    ::prctl(PR_SET_NAME, "ekiden-engine");
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);   // Ctrl-C reaches the whole foreground group; the master decides
    raise_descriptor_limit();
    return Engine(directory, Fd(channel_number)).run();
}

}  // namespace ekiden::daemon
