#include "base/text.hpp"
#include "receive/authenticate.hpp"
#include "sasl/builtin.hpp"
#include "sasl/cyrus_name.hpp"
#include "sasl/dovecot.hpp"

#include <fmt/format.h>

namespace ekiden::receive {

namespace {

constexpr std::string_view default_path = "smtpd";
constexpr std::chrono::seconds cyrus_patience{30};    // saslauthd and PAM let those who guess wait

struct Context {
    const config::Settings& settings;
    const config::ServiceSpec& service;
    net::BlockingPool* pool;
    const Logger& log;
};

sasl::BackendPtr make_of_dovecot(const Context& context, std::string path, bool is_cyrus)
{
    sasl::DovecotOptions options;
    options.path = std::move(path);
    options.queue_directory = context.settings.str("queue_directory");
    options.is_cyrus = is_cyrus;
    if (is_cyrus) options.time_limit = cyrus_patience;
    options.pool = context.pool;
    options.known_ports = context.settings.str("known_tcp_ports");
    options.log = context.log;
    auto made = sasl::make_dovecot(std::move(options));
    if (!made)
        throw config::ConfigError("smtpd_sasl_path: " + made.error().text(),
                                  context.settings.location("smtpd_sasl_path"));
    return *made;
}

sasl::BackendPtr make_dovecot(const Context& context)
{
    return make_of_dovecot(context, context.settings.str("smtpd_sasl_path"), false);
}

sasl::BackendPtr make_cyrus(const Context& context)
{
    const auto& settings = context.settings;
    const std::string name = sasl::cyrus_socket_name(settings.str("smtpd_sasl_path"),
                                                     settings.str("cyrus_sasl_config_path"), context.service.is_chroot);
    return make_of_dovecot(context, std::string(sasl::cyrus_socket_directory) + "/" + name, true);
}

std::string password_file(const config::Settings& settings)
{
    return sasl::builtin_path(settings.str("smtpd_sasl_path"), settings.directory());
}

sasl::BackendPtr make_ekiden(const Context& context)
{
    sasl::BuiltinOptions options;
    options.path = password_file(context.settings);
    options.pool = context.pool;
    options.log = context.log;
    return sasl::make_builtin(std::move(options));
}

std::vector<std::string> doubts_of_dovecot(const config::Settings& settings)
{
    if (settings.str("smtpd_sasl_path") != default_path) return {};
    return {"smtpd_sasl_path = smtpd is no socket of Dovecot: it is private/auth in most configurations"};
}

// What is wrong with smtpd.conf is found by asking libsasl2 (daemon/sasl_process).
std::vector<std::string> doubts_of_cyrus(const config::Settings&) { return {}; }

std::vector<std::string> doubts_of_ekiden(const config::Settings& settings)
{
    return sasl::builtin_problems(password_file(settings));
}

// smtpd_sasl_type
struct Kind {
    std::string_view name;
    sasl::BackendPtr (*make)(const Context&);
    std::vector<std::string> (*find_doubts)(const config::Settings&);
};
constexpr Kind kinds[] = {
    {"cyrus", make_cyrus, doubts_of_cyrus},
    {"dovecot", make_dovecot, doubts_of_dovecot},
    {"ekiden", make_ekiden, doubts_of_ekiden},
};

const Kind& kind_of(const config::Settings& settings)
{
    const std::string type = settings.str("smtpd_sasl_type");
    for (const Kind& kind : kinds) {
        if (kind.name == type) return kind;
    }
    throw config::ConfigError("unsupported SASL server implementation: " + type, settings.location("smtpd_sasl_type"));
}

sasl::Properties security_options(const config::Settings& settings, std::string_view parameter)
{
    const std::string value = settings.str(parameter);
    const auto options = sasl::parse_security_options(value);
    if (options) return *options;
    throw config::ConfigError(
        fmt::format("unknown SASL security options value \"{}\" in \"{}\"", options.error().text(), value),
        settings.location(parameter));
}

}  // namespace

LoginOptions LoginOptions::from(const config::Settings& settings, const table::OpenOptions& tables)
{
    LoginOptions o;
    o.is_enabled = settings.boolean("smtpd_sasl_auth_enable");
    if (!o.is_enabled) return o;
    o.has_old_spelling = settings.boolean("broken_sasl_auth_clients");
    o.security = security_options(settings, "smtpd_sasl_security_options");
    o.tls_security = security_options(settings, "smtpd_sasl_tls_security_options");
    o.realm = settings.str("smtpd_sasl_local_domain");
    o.service = settings.str("smtpd_sasl_service");
    o.response_limit = static_cast<std::size_t>(settings.integer("smtpd_sasl_response_limit"));
    using Matches = table::MatchList;
    o.hidden_from = Matches::open("smtpd_sasl_exceptions_networks", settings.str("smtpd_sasl_exceptions_networks"),
                                  Matches::Kind::host_and_address, false, tables);
    o.mechanism_filter = Matches::open("smtpd_sasl_mechanism_filter", settings.str("smtpd_sasl_mechanism_filter"),
                                       Matches::Kind::names, false, tables);
    return o;
}

sasl::BackendPtr make_logins(const config::Settings& settings, const config::ServiceSpec& service,
                             net::BlockingPool* pool, const Logger& log)
{
    if (!settings.boolean("smtpd_sasl_auth_enable")) return nullptr;
    return kind_of(settings).make({settings, service, pool, log});
}

std::vector<config::Problem> find_login_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems;
    auto add = [&](config::Problem::Level level, const config::Location& at, std::string_view text) {
        config::Problem problem = config::make_problem(level, at.line > 0 ? at : config::Location{}, text);
        for (const auto& other : problems) {
            if (other.text == problem.text) return;
        }
        problems.push_back(std::move(problem));
    };
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "smtpd") continue;
        try {
            const auto own = settings.for_service(service);
            const LoginOptions options = LoginOptions::from(*own, {});
            if (!options.is_enabled) continue;
            const Kind& kind = kind_of(*own);
            (void)make_logins(*own, service, nullptr, Logger());
            for (const std::string& doubt : kind.find_doubts(*own))
                add(config::Problem::Level::warning, own->location("smtpd_sasl_path"), doubt);
        } catch (const config::ConfigError& error) {
            add(config::Problem::Level::fatal, error.location, error.what());
        }
    }
    return problems;
}

}  // namespace ekiden::receive
