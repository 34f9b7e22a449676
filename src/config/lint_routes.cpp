// Where services and settings name each other: names that lead nowhere, services that nothing leads to, a port that is
// wanted twice, and mail that would come back to where it was sent from.
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "config/lint_services.hpp"
#include "config/source.hpp"
#include "config/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <netdb.h>
#include <unistd.h>

namespace ekiden::config {

namespace {

// Parameters that hold transport:nexthop or transport, and those that hold a server to connect to.
constexpr std::array<std::string_view, 13> transport_parameters{"default_transport",
                                                                "relay_transport",
                                                                "local_transport",
                                                                "virtual_transport",
                                                                "mailbox_transport",
                                                                "fallback_transport",
                                                                "content_filter",
                                                                "address_verify_default_transport",
                                                                "address_verify_local_transport",
                                                                "address_verify_relay_transport",
                                                                "address_verify_virtual_transport",
                                                                "error_service_name",
                                                                "retry_service_name"};
constexpr std::array<std::string_view, 3> host_parameters{"relayhost", "smtp_fallback_relay",
                                                          "address_verify_relayhost"};

struct HostPort {
    std::string host, port;
};

// "[host]:port", "host:port", "host"; the port may be a name.
HostPort split_host(std::string_view text)
{
    HostPort result;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos) return {};
        result.host = text.substr(1, end - 1);
        text.remove_prefix(end + 1);
        if (text.starts_with(':')) result.port = text.substr(1);
    } else {
        const auto colon = text.rfind(':');
        result.host = text.substr(0, colon);
        if (colon != text.npos) result.port = text.substr(colon + 1);
    }
    return result;
}

// The two addresses that loopback-only means; others of 127.0.0.0/8 are somebody else's.
bool is_own_loopback(std::string_view host)
{
    return host == "127.0.0.1" || host == "::1" || base::equal_ignoring_case(host, "localhost");
}
bool is_loopback(std::string_view host) { return is_own_loopback(host) || host.starts_with("127."); }

std::string line_of(const ServiceSpec& service) { return fmt::format("line {} of master.cf", service.line); }

class RouteLinter {
public:
    explicit RouteLinter(const Settings& settings) : settings_(settings) {}

    std::vector<Problem> run()
    {
        if (settings_.services().empty()) return {};
        check_transports();
        check_loops();
        check_filter_returns();
        check_doubles();
        check_unused();
        check_mailbox_limits();
        return std::move(problems_);
    }

private:
    // Where no table sends mail elsewhere, does some of it come to this program?
    bool is_delivered_by(std::string_view program) const
    {
        constexpr const char* ways[] = {"local_transport", "virtual_transport", "relay_transport", "default_transport"};
        return std::ranges::any_of(ways, [&](const char* way) {
            const std::string value(settings_.str(way));
            const auto* service = find_transport(std::string_view(value).substr(0, value.find(':')));
            return service != nullptr && service->command == program;
        });
    }

    // Where Postfix's local(8) and virtual(8) deliver nothing at all.
    void check_mailbox_limits()
    {
        struct Limit {
            const char *name, *domains, *program;
        };
        constexpr Limit limits[] = {{"mailbox_size_limit", "mydestination", "local"},
                                    {"virtual_mailbox_limit", "virtual_mailbox_domains", "virtual"}};
        const auto message = settings_.integer("message_size_limit");
        for (const auto& [name, domains, program] : limits) {
            const auto limit = settings_.integer(name);
            if (limit <= 0 || (message > 0 && limit >= message) || settings_.str(domains).empty()) continue;
            // Domains whose mailboxes another server keeps (virtual_transport = lmtp:…) have its limits.
            if (!is_delivered_by(program)) continue;
            Location at = settings_.location(name);
            if (at.line == 0) at = settings_.location("message_size_limit");
            add(at, name,
                fmt::format("{} = {} is smaller than message_size_limit = {}: mail is taken that does not fit into a "
                            "mailbox file, and comes back",
                            name, limit, message),
                fmt::format("set {} to 0 (no limit) or to more than message_size_limit", name));
        }
    }

    void add(const Location& at, std::string_view parameter, std::string_view text, std::string_view advice = {})
    {
        problems_.push_back(make_problem(Problem::Level::warning, at, text, parameter, advice));
    }

    int port_number(std::string_view port) const
    {
        if (port.empty()) return 25;
        if (const auto number = base::parse_number<int>(port)) return *number;
        // "smtps=submissions=465": several names and one number.
        for (const auto entry : base::split_any(settings_.str("known_tcp_ports"))) {
            const auto parts = base::split(entry, '=');
            if (std::ranges::find(parts, port) != parts.end())
                return base::parse_number<int>(parts.back()).value_or(-1);
        }
        const servent* service = ::getservbyname(std::string(port).c_str(), "tcp");
        return service != nullptr ? (service->s_port & 0xff) << 8 | (service->s_port >> 8 & 0xff) : -1;
    }

    // "127.0.0.1:10025" and "smtp": where there is no host, every interface is meant.
    HostPort listens_at(const ServiceSpec& service) const
    {
        auto where = service.name.find(':') != std::string::npos || service.name.starts_with('[')
                         ? split_host(service.name)
                         : HostPort{{}, service.name};
        where.port = std::to_string(port_number(where.port));
        return where;
    }

    const ServiceSpec* find_transport(std::string_view name) const
    {
        const auto found = std::ranges::find_if(settings_.services(), [&](const ServiceSpec& service) {
            return service.name == name && service.type != "inet";
        });
        return found == settings_.services().end() ? nullptr : &*found;
    }

    // Of a pipe that mail is sent to. Lines for programs that are not installed are no fault by themselves: the usual
    // master.cf has half a dozen.
    void check_program(std::string_view parameter, const ServiceSpec& service)
    {
        if (service.command != "pipe") return;
        const auto argv =
            std::ranges::find_if(service.arguments, [](const std::string& word) { return word.starts_with("argv="); });
        if (argv == service.arguments.end()) return;
        const auto program = argv->substr(5);
        if (!program.starts_with('/') || program.find('$') != std::string::npos || ::access(program.c_str(), X_OK) == 0)
            return;
        const Location at{service.file, service.line};
        add(source_.find(at, program), parameter,
            fmt::format("service {}, which {} names, runs {}: {}", service.name, parameter, program,
                        std::strerror(errno)),
            "install it, or correct the path");
    }

    void check_transport(std::string_view parameter, std::string_view value, const Location& at)
    {
        const auto name = value.substr(0, value.find(':'));
        if (name.empty() || name.find_first_of(" \t$") != name.npos) return;
        if (const auto* service = find_transport(name)) return check_program(parameter, *service);
        base::Nearest nearest(name, 1);    // names are short: two edits make smtp of lmtp
        for (const auto& service : settings_.services())
            if (service.type != "inet") nearest.look_at(service.name);
        const std::string_view best = nearest.best();
        add(at, parameter,
            fmt::format("{} = {}: master.cf has no service \"{}\", so this mail waits", parameter, value, name),
            best.empty() ? "add a line for it to master.cf" : is_meant(best));
    }

    void check_transports()
    {
        for (const auto parameter : transport_parameters)
            if (settings_.location(parameter).line > 0)
                check_transport(parameter, settings_.str(parameter), settings_.location(parameter));
        for (const auto& service : settings_.services())
            for (const auto& [name, value] : service.overrides)
                if (name == "content_filter")
                    check_transport(name, settings_.expand(value), {service.file, service.line});
    }

    bool is_this_host(std::string_view host) const
    {
        return is_own_loopback(host) || base::equal_ignoring_case(host, settings_.str("myhostname"));
    }

    // Our own SMTP server at that address, or null.
    const ServiceSpec* find_server(const HostPort& target) const
    {
        if (!is_this_host(target.host)) return nullptr;
        const auto port = std::to_string(port_number(target.port));
        const auto found = std::ranges::find_if(settings_.services(), [&](const ServiceSpec& service) {
            if (service.type != "inet" || (service.command != "smtpd" && service.command != "postscreen")) return false;
            const auto own = listens_at(service);
            return own.port == port && (own.host.empty() || base::equal_ignoring_case(own.host, target.host) ||
                                        (is_own_loopback(own.host) && is_own_loopback(target.host)));
        });
        return found == settings_.services().end() ? nullptr : &*found;
    }

    void check_loops()
    {
        for (const auto parameter : host_parameters) {
            if (settings_.location(parameter).line == 0) continue;
            for (const auto& word : settings_.list(parameter)) {
                const auto* server = find_server(split_host(word));
                if (server == nullptr) continue;
                add(source_.find(settings_.location(parameter), word), parameter,
                    fmt::format("{} = {} is this server itself ({}), so mail goes in a circle", parameter, word,
                                line_of(*server)),
                    "name the server that takes your mail, or leave it empty");
            }
        }
    }

    std::string filter_of(const ServiceSpec& service) const
    {
        for (auto at = service.overrides.rbegin(); at != service.overrides.rend(); ++at)
            if (at->first == "content_filter") return settings_.expand(at->second);
        return settings_.str("content_filter");
    }

    // "smtp:[127.0.0.1]:10024" hands mail to a filter that gives it back to another of our ports.
    void check_filter_returns()
    {
        const auto filter = settings_.str("content_filter");
        const auto nexthop = filter.substr(std::min(filter.size(), filter.find(':') + 1));
        if (filter.find(':') == std::string::npos || nexthop.empty()) return;
        const auto target = split_host(nexthop);
        if (const auto* server = find_server(target);
            server != nullptr && server->command == "smtpd" && !filter_of(*server).empty())
            return add(settings_.location("content_filter"), "content_filter",
                       fmt::format("content_filter = {} is this server itself ({}), which sends the mail there again",
                                   filter, line_of(*server)),
                       "name the filter's port, and write -o content_filter= at the port that takes the mail back");
        if (!is_loopback(target.host)) return;
        for (const auto& service : settings_.services()) {
            if (service.command != "smtpd" || service.type != "inet") continue;
            const auto own = listens_at(service);
            const bool is_public = own.port == "25" || own.port == "465" || own.port == "587";
            if (!is_loopback(own.host) || is_public || filter_of(service).empty()) continue;
            add({service.file, service.line}, "content_filter",
                fmt::format("what the filter gives back to {} goes to content_filter = {} again", service.name, filter),
                "write -o content_filter= there");
        }
    }

    void check_doubles()
    {
        const auto interfaces = settings_.list("inet_interfaces");
        const bool has_all = std::ranges::find(interfaces, "all") != interfaces.end();
        const auto overlap = [&](const std::string& a, const std::string& b) {
            if (base::equal_ignoring_case(a, b) ||
                (is_own_loopback(a) && is_own_loopback(b) && (a == "localhost" || b == "localhost")))
                return true;
            if (!a.empty() && !b.empty()) return false;
            const auto& named = a.empty() ? b : a;
            if (has_all) return true;
            return std::ranges::find(interfaces, named) != interfaces.end() ||
                   (is_own_loopback(named) && std::ranges::find(interfaces, "loopback-only") != interfaces.end());
        };
        const auto& services = settings_.services();
        for (std::size_t i = 0; i < services.size(); ++i) {
            const Location at{services[i].file, services[i].line};
            for (std::size_t k = 0; k < i; ++k) {
                if ((services[i].type == "inet") != (services[k].type == "inet")) continue;
                if (services[i].name == services[k].name && services[i].type == services[k].type) {
                    add(at, {},
                        fmt::format("service {} {} stands in line {} already", services[i].name, services[i].type,
                                    services[k].line),
                        "remove one of the two lines");
                    break;
                }
                if (services[i].type != "inet") continue;
                const auto one = listens_at(services[i]), other = listens_at(services[k]);
                if (one.port != other.port || one.port == "-1" || !overlap(one.host, other.host)) continue;
                add(at, {},
                    fmt::format("port {} of service {} is taken by service {} in line {}, so the start fails", one.port,
                                services[i].name, services[k].name, services[k].line),
                    "remove one of the two lines, or give each an address of its own");
                break;
            }
        }
    }

    // Is the word part of any value?
    bool is_named(std::string_view word) const
    {
        const auto names = [&](std::string_view value) {
            for (auto at = value.find(word); at != value.npos; at = value.find(word, at + 1)) {
                const auto end = at + word.size();
                const bool begins =
                    at == 0 || !(base::is_alnum(value[at - 1]) || value[at - 1] == '_' || value[at - 1] == '-');
                if (begins &&
                    (end == value.size() || !(base::is_alnum(value[end]) || value[end] == '_' || value[end] == '-')))
                    return true;
            }
            return false;
        };
        if (std::ranges::any_of(settings_.names_set(),
                                [&](const std::string& name) { return names(settings_.data().find(name)->expanded); }))
            return true;
        return std::ranges::any_of(settings_.services(), [&](const ServiceSpec& service) {
            return std::ranges::any_of(service.overrides, [&](const auto& entry) { return names(entry.second); });
        });
    }

    // Transports may stand in tables; a second cleanup service and a policy daemon are named in main.cf or master.cf.
    void check_unused()
    {
        for (const auto& service : settings_.services()) {
            if (service.type == "inet") continue;
            const bool is_cleanup = service.command == "cleanup" && service.name != "cleanup";
            if ((!is_cleanup && service.command != "spawn") || is_named(service.name)) continue;
            add({service.file, service.line}, {},
                fmt::format("nothing names the service {} ({})", service.name, service.command),
                is_cleanup
                    ? fmt::format(
                          "write -o cleanup_service_name={} at the server that shall use it, or remove the line",
                          service.name)
                    : fmt::format(
                          "write check_policy_service unix:private/{} where it shall be asked, or remove the line",
                          service.name));
        }
    }

    const Settings& settings_;
    Source source_;
    std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> lint_routes(const Settings& settings) { return RouteLinter(settings).run(); }

}  // namespace ekiden::config
