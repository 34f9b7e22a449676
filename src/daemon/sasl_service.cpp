#include "daemon/sasl_service.hpp"

#include "config/lint_services.hpp"
#include "daemon/privileges.hpp"
#include "daemon/process.hpp"
#include "net/listener.hpp"
#include "sasl/cyrus_config.hpp"
#include "sasl/cyrus_name.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::daemon {
namespace {

constexpr int backlog = 64;
constexpr std::chrono::seconds first_pause{1}, longest_pause{60};
constexpr std::chrono::seconds young{10};
constexpr int stop_patience = 200;    // of 20 ms each

}  // namespace

Result<void> SaslServices::listen(Service& service) const
{
    const AsOwner as_owner(owner_);
    const std::string folder = service.path.substr(0, service.path.rfind('/'));
    if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) return fail(Error::from_errno("mkdir", folder));
    EKIDEN_TRY_VALUE(socket, net::listen_unix(service.path, backlog, 0600));
    service.socket = std::move(socket);
    return {};
}

Result<void> SaslServices::spawn(Service& service)
{
    if (!service.socket) EKIDEN_TRY(listen(service));
    const LogFiles logs = open_log_();
    std::vector<std::pair<int, int>> descriptors{{service.socket.get(), channel_number}};
    if (logs.lines) descriptors.emplace_back(logs.lines.get(), channel_number + 1);
    auto arguments = sasl_arguments(*settings_, service.setup, bool(logs.lines));
    if (logs.json) {
        descriptors.emplace_back(logs.json.get(), channel_number + 1 + bool(logs.lines));
        arguments.emplace_back("-j");
    }
    EKIDEN_TRY_VALUE(pid, spawn_self(arguments, descriptors));
    service.pid = pid;
    service.started_at = base::steady_now();
    service.restart_at.reset();
    return {};
}

void SaslServices::start(Service& service)
{
    auto started = spawn(service);
    if (started) return;
    logger_.error("cannot start the SASL process: {}", started.error().text());
    service.restart_at = base::steady_now() + longest_pause;
}

void SaslServices::end(Service& service)
{
    if (service.pid == 0) return;
    ::kill(service.pid, SIGTERM);
    leaving_.insert(std::exchange(service.pid, 0));
}

void SaslServices::unlink(const Service& service) const
{
    const AsOwner as_owner(owner_);
    ::unlink(service.path.c_str());
}

void SaslServices::use(const config::SettingsPtr& settings, const Owner& owner)
{
    owner_ = owner;
    settings_ = settings;
    for (SaslSetup& setup : find_sasl_setups(*settings)) {
        const std::string path =
            settings->str("queue_directory") + "/" + std::string(sasl::cyrus_socket_directory) + "/" + setup.name();
        auto at = std::ranges::find(services_, path, &Service::path);
        if (at == services_.end()) at = services_.insert(services_.end(), Service{.path = path});
        at->setup = std::move(setup);
        at->pause = first_pause;
        end(*at);
        start(*at);
    }
}

void SaslServices::drop_unused(const config::Settings& settings)
{
    const auto needed = find_sasl_setups(settings);
    std::erase_if(services_, [&](Service& service) {
        const std::string name = service.setup.name();
        if (std::ranges::any_of(needed, [&](const SaslSetup& setup) { return setup.name() == name; })) return false;
        end(service);
        unlink(service);
        return true;
    });
}

bool SaslServices::on_child(pid_t pid, const std::string& how)
{
    if (leaving_.erase(pid) > 0) return true;
    auto at = std::ranges::find(services_, pid, &Service::pid);
    if (at == services_.end()) return false;
    logger_.warning("process sasl pid {} {}", pid, how);
    at->pid = 0;
    // Nobody would answer those who connect now.
    at->socket.reset();
    unlink(*at);
    const SteadyTime now = base::steady_now();
    if (now - at->started_at >= young) at->pause = first_pause;
    at->restart_at = now + at->pause;
    at->pause = std::min(at->pause * 2, longest_pause);
    return true;
}

void SaslServices::tick()
{
    const SteadyTime now = base::steady_now();
    for (Service& service : services_) {
        if (service.restart_at && now >= *service.restart_at) start(service);
    }
}

void SaslServices::renew()
{
    for (Service& service : services_) {
        if (service.pid == 0) continue;
        end(service);
        start(service);
    }
}

void SaslServices::stop()
{
    for (Service& service : services_) {
        end(service);
        unlink(service);
    }
    services_.clear();
    for (int tries = 0; !leaving_.empty(); ++tries) {
        std::erase_if(leaving_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
        if (tries == stop_patience) std::ranges::for_each(leaving_, [](pid_t pid) { ::kill(pid, SIGKILL); });
        if (!leaving_.empty()) ::usleep(20'000);
    }
}

namespace {

// Sockets of Dovecot that are not there, or that the engine may not use: it has the mail owner's rights and none of his
// other groups, like Postfix's smtpd.
std::vector<config::Problem> find_dovecot_absences(const config::Settings& settings)
{
    std::vector<config::Problem> problems;
    const auto owner = find_owner(settings);
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "smtpd") continue;
        const auto own = settings.for_service(service);
        if (!own->boolean("smtpd_sasl_auth_enable") || own->str("smtpd_sasl_type") != "dovecot") continue;
        const std::string value = own->str("smtpd_sasl_path");
        // The default is no socket; that is named elsewhere.
        if (!own->is_set("smtpd_sasl_path") || value.starts_with("inet:")) continue;
        std::string path = value.starts_with("unix:") ? value.substr(5) : value;
        if (!path.starts_with('/')) path = settings.str("queue_directory") + "/" + path;
        struct stat info{};
        std::string text, advice;
        if (::stat(path.c_str(), &info) < 0 && errno == ENOENT) {
            text = fmt::format("there is no socket {}, so every login will have to wait", path);
            advice = "start Dovecot, or look at unix_listener in its configuration";
        } else if (owner && owner->is_root && S_ISSOCK(info.st_mode)) {
            const mode_t needed = info.st_uid == owner->uid                                         ? S_IWUSR
                                  : info.st_gid == owner->gid || info.st_gid == owner->setgid_group ? S_IWGRP
                                                                                                    : S_IWOTH;
            if (info.st_mode & needed) continue;
            const std::string user = settings.str("mail_owner");
            text = fmt::format("{} may not connect to {}, so every login will have to wait", user, path);
            advice = fmt::format("write user = {} in unix_listener of Dovecot's configuration", user);
        }
        if (text.empty()) continue;
        config::add_once(problems, config::make_problem(config::Problem::Level::warning, own->location("smtpd_sasl_path"),
                                                        text, "smtpd_sasl_path", advice));
    }
    return problems;
}

// Services of this setup whose options leave no mechanism over, neither in plain text nor under TLS.
std::vector<config::Problem> find_empty_offers(const config::Settings& settings, const SaslSetup& setup,
                                               const SaslOffer& offer)
{
    constexpr std::string_view plain = "smtpd_sasl_security_options", tls = "smtpd_sasl_tls_security_options";
    std::vector<config::Problem> problems;
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "smtpd" || offer.mechanisms.empty()) continue;
        const auto own = settings.for_service(service);
        if (const auto own_setup = sasl_setup_of(*own, service); !own_setup || own_setup->name() != setup.name())
            continue;
        auto leaves_some = [&](std::string_view parameter) {
            const auto options = sasl::parse_security_options(own->str(parameter));
            // A word that does not exist is named elsewhere.
            return !options || std::ranges::any_of(offer.mechanisms, [&](const sasl::Mechanism& mechanism) {
                return sasl::is_allowed(mechanism, *options);
            });
        };
        const bool has_tls = config::serves_tls(*own);
        if (leaves_some(plain) || (has_tls && leaves_some(tls))) continue;
        std::string names;
        for (const auto& mechanism : offer.mechanisms) names += ' ' + mechanism.name;
        problems.push_back(config::make_problem(
            config::Problem::Level::warning, own->is_set(plain) ? own->location(plain) : setup.at,
            fmt::format("{} = {} leaves nothing of{}, so nobody can log in", plain, own->str(plain), names), plain,
            has_tls ? "write smtpd_sasl_tls_security_options = noanonymous"
                    : "write smtpd_tls_security_level = may and smtpd_sasl_tls_security_options = noanonymous"));
    }
    return problems;
}

} // namespace

std::vector<config::Problem> find_sasl_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems = find_dovecot_absences(settings);
    for (const SaslSetup& setup : find_sasl_setups(settings)) {
        auto add = [&](std::string text) {
            problems.push_back({config::Problem::Level::warning, setup.at, std::move(text)});
        };
        const std::string place = setup.at.line > 0 ? config::place_of(setup.at) : std::string();
        const std::string search_path = sasl::cyrus_search_path(settings.directory(), setup.config_path);
        sasl::CyrusConfig config;
        if (const auto path = sasl::find_cyrus_config(search_path, setup.application)) {
            if (auto read = sasl::read_cyrus_config(*path)) config = std::move(*read);
            else add(fmt::format("{}{}", place, read.error().text()));
        } else if (!setup.application.ends_with(".conf")) {    // that is another warning's
            add(fmt::format(
                "{}smtpd_sasl_path = {}: there is no {}.conf in {}; Cyrus SASL goes by its defaults: every mechanism that is installed, and passwords from sasldb2",
                place, setup.application, setup.application, search_path));
        }
        if (!config.bad_lines.empty()) {
            for (const auto& problem : sasl::find_cyrus_problems(config, {})) add(problem);
            continue;    // the library does not get any further either
        }
        auto offer = ask_sasl_offer(settings, setup);
        if (!offer) {
            add(fmt::format("{}Cyrus SASL could not be asked what it offers: {}", place, offer.error().text()));
            continue;
        }
        std::vector<std::string> names;
        for (const auto& mechanism : offer->mechanisms) names.push_back(mechanism.name);
        for (const auto& problem : sasl::find_cyrus_problems(config, names)) add(problem);
        for (const auto& complaint : offer->complaints)
            add(fmt::format("{}Cyrus SASL says: {}", place,
                            complaint.starts_with("warning: ") ? complaint.substr(9) : complaint));
        if (offer->mechanisms.empty())
            add(fmt::format(
                "{}smtpd_sasl_auth_enable = yes, but Cyrus SASL has no mechanism to offer: nobody can log in (Debian: apt install libsasl2-modules)",
                place));
        for (const auto& absence : offer->absences)
            add(setup.is_chrooted && ::geteuid() == 0 ? absence + "; the service runs in the chroot" : absence);
        for (auto& problem : find_empty_offers(settings, setup, *offer))
            config::add_once(problems, std::move(problem));
    }
    return problems;
}

}  // namespace ekiden::daemon
