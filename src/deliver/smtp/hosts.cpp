#include "deliver/smtp/hosts.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"

#include <fmt/format.h>

namespace ekiden::deliver::smtp {

namespace {

constexpr std::size_t most_destinations = 32;

std::optional<Destination> parse_destination(std::string_view text, const Options& options)
{
    Destination destination;
    destination.text = base::lower(text);
    if (options.is_lmtp && base::starts_with_ignoring_case(text, "unix:")) {
        destination.host = destination.key = text.substr(5);
        destination.is_unix = true;
        destination.text = text;
        if (destination.host.empty()) return std::nullopt;
        return destination;
    }
    if (base::starts_with_ignoring_case(text, "inet:")) text.remove_prefix(5);
    destination.key = text;
    auto split = net::split_host_port(text);
    if (!split || split->host.empty()) return std::nullopt;
    destination.host = std::move(split->host);
    destination.port = std::move(split->port);
    destination.uses_mx = options.hosts.uses_mx && !split->is_bracketed;
    return destination;
}

}  // namespace

std::vector<Destination> parse_destinations(std::string_view next_hop, const Options& options, std::string& problem)
{
    std::vector<Destination> destinations;
    const bool is_relay_host = !options.relay_host.empty() && next_hop == options.relay_host;
    const auto add = [&](std::string_view text, std::string_view setting) {
        if (destinations.size() >= most_destinations) return;
        if (auto destination = parse_destination(text, options)) {
            destination->setting = setting;
            destinations.push_back(std::move(*destination));
        } else {
            problem = "valid hostname or network address required in server description: " + base::printable(text);
        }
    };
    for (std::string_view text : base::split_any(next_hop)) add(text, is_relay_host ? "relayhost" : "");
    for (const std::string& text : options.fallback_relays)
        add(text, options.is_lmtp ? "lmtp_fallback_relay" : "smtp_fallback_relay");
    if (destinations.empty() && problem.empty())
        problem = "valid hostname or network address required in server description: ";
    return destinations;
}

std::string Candidate::peer() const
{
    return fmt::format("{}[{}]", host, path.empty() ? net::format_address(endpoint.address) : path);
}

std::string Candidate::relay() const { return path.empty() ? fmt::format("{}:{}", peer(), endpoint.port) : peer(); }

Task<Candidates> find_candidates(dns::Resolver& resolver, Destination destination, const Options& options)
{
    Candidates found;
    if (destination.is_unix) {
        Candidate candidate;
        candidate.host = options.host_name;
        candidate.path = destination.host;
        found.list.push_back(std::move(candidate));
        co_return found;
    }
    const auto default_port = net::find_port(options.default_port, options.known_ports);
    const auto port = destination.port.empty() ? default_port : net::find_port(destination.port, options.known_ports);
    if (!port) {
        const std::string& name = destination.port.empty() ? options.default_port : destination.port;
        found.failure = failed("4.3.5", "unknown service: " + base::printable(name) + "/tcp");
        co_return found;
    }
    dns::MailHostOptions how = options.hosts;
    how.uses_mx = destination.uses_mx;
    // Mail that comes back to us comes back to the port where MX mail is delivered; other ports are someone's plan.
    if (!options.is_lmtp && port == default_port) how.is_own_address = options.is_own_address;
    std::string name = destination.host;
    if (!base::is_ascii(name)) {
        auto ascii = mail::to_ascii_domain(name);
        if (!ascii) {
            found.failure =
                failed("5.4.4", dns::not_found_text(name, how.families.last_type(), dns::Absence::no_such_name));
            co_return found;
        }
        name = std::move(*ascii);
    }
    auto hosts = co_await dns::find_mail_hosts(resolver, std::move(name), how);
    if (!hosts.warning.empty()) found.warnings.push_back(std::move(hosts.warning));
    found.is_ours = hosts.is_ours;
    for (auto& host : hosts.hosts) {
        if (options.address_limit > 0 && found.list.size() >= options.address_limit) break;
        Candidate candidate;
        candidate.host = std::move(host.name);
        candidate.endpoint = {host.address, *port};
        found.list.push_back(std::move(candidate));
    }
    if (found.list.empty()) {
        // A relay host that is not there, or is we ourselves, is a mistake of ours, and no reason to give mail back.
        if (!destination.setting.empty() && hosts.code.starts_with('5')) {
            hosts.code = "4.3.5";
            found.warnings.push_back(fmt::format("{} configuration problem", destination.setting));
        }
        found.failure = failed(std::move(hosts.code), std::move(hosts.text), hosts.is_dns_trouble);
    }
    co_return found;
}

}  // namespace ekiden::deliver::smtp
