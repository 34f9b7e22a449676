#include "milter/servers.hpp"

#include "base/text.hpp"
#include "config/values.hpp"
#include "net/endpoint.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace ekiden::milter {
namespace {

constexpr std::size_t most_servers = 100;

std::optional<DefaultAction> action_named(std::string_view word)
{
    static constexpr std::pair<std::string_view, DefaultAction> rows[] = {{"accept", DefaultAction::accept},
                                                                          {"reject", DefaultAction::reject},
                                                                          {"tempfail", DefaultAction::tempfail},
                                                                          {"quarantine", DefaultAction::quarantine},
                                                                          {"shutdown", DefaultAction::shutdown}};
    const auto found = std::ranges::find(rows, word, &std::pair<std::string_view, DefaultAction>::first);
    if (found == std::end(rows)) return std::nullopt;
    return found->second;
}

std::optional<unsigned> version_named(std::string_view word)
{
    const auto version = base::parse_number<unsigned>(word);
    if (!version || (*version != 2 && *version != 3 && *version != 4 && *version != 6)) return std::nullopt;
    return version;
}

std::unexpected<Error> bad(std::string text)
{
    return fail(ErrorCode::syntax, std::move(text));
}

// One name=value of a group.
Result<void> set(Server& server, std::string_view setting)
{
    const auto group = config::inside_braces(setting);
    std::string trouble;
    const auto pair = config::split_name_value(group ? *group : setting, trouble);
    if (!pair) return bad(fmt::format("milter {}: {}", server.name, trouble));
    const auto& [name, value] = *pair;
    const auto unusable = [&] { return bad(fmt::format("milter {}: bad {} value: {}", server.name, name, value)); };
    if (name == "default_action") {
        const auto action = action_named(value);
        if (!action) return unusable();
        server.default_action = *action;
    } else if (name == "protocol") {
        const auto version = version_named(value);
        if (!version) return unusable();
        server.version = *version;
    } else {
        static constexpr std::pair<std::string_view, std::chrono::seconds Server::*> times[] = {
            {"connect_timeout", &Server::connect_timeout},
            {"command_timeout", &Server::command_timeout},
            {"content_timeout", &Server::content_timeout}};
        const auto row =
            std::ranges::find(times, name, &std::pair<std::string_view, std::chrono::seconds Server::*>::first);
        if (row == std::end(times)) return bad(fmt::format("milter {}: unknown setting: {}", server.name, name));
        const auto time = config::parse_time(value);
        if (!time || time->count() < 1) return unusable();
        server.*row->second = *time;
    }
    return {};
}

Result<void> set_address(Server& server, std::string_view text, const Setup& setup)
{
    const std::size_t colon = text.find(':');
    const std::string_view kind = text.substr(0, colon);
    if (colon != text.npos && (kind == "unix" || kind == "local")) {
        server.is_local = true;
        const std::string_view path = text.substr(colon + 1);
        if (path.empty()) return bad(fmt::format("milter {}: no socket is named", text));
        const bool is_below_queue = setup.is_chrooted || !path.starts_with('/');
        if (is_below_queue) server.path = setup.queue_directory + (path.starts_with('/') ? "" : "/");
        server.path += path;
        return {};
    }
    if (colon == text.npos || kind != "inet")
        return bad(fmt::format("milter {}: want inet:host:port or unix:path", text));
    const auto split = net::split_host_port(text.substr(colon + 1));
    if (!split || split->host.empty() || split->port.empty())
        return bad(fmt::format("milter {}: want inet:host:port", text));
    if (!net::find_port(split->port, setup.known_ports))
        return bad(fmt::format("milter {}: unknown port: {}", text, split->port));
    server.host = split->host;
    server.port = split->port;
    return {};
}

Result<Server> parse_server(std::string_view word, const Setup& setup)
{
    Server server = setup.defaults;
    std::vector<std::string> settings;
    if (word.starts_with('{')) {
        const auto group = config::inside_braces(word);
        if (!group) return bad(fmt::format("milter syntax error: {}", word));
        settings = config::split_list(*group);
        if (settings.empty()) return bad("milter syntax error: empty group");
        server.name = settings.front();
        settings.erase(settings.begin());
    } else {
        server.name = word;
    }
    EKIDEN_TRY(set_address(server, server.name, setup));
    for (const std::string& setting : settings) EKIDEN_TRY(set(server, setting));
    return server;
}

} // namespace

Result<Servers> Setup::parse(std::string_view list) const
{
    Servers servers;
    for (const std::string& word : config::split_list(list)) {
        if (servers.size() == most_servers) return bad("too many milters");
        EKIDEN_TRY_VALUE(server, parse_server(word, *this));
        servers.push_back(std::move(server));
    }
    return servers;
}

bool is_chrooted(const config::Settings& settings, std::string_view command)
{
    const auto line = std::ranges::find(settings.services(), command, &config::ServiceSpec::command);
    return line != settings.services().end() && line->is_chroot;
}

std::optional<std::string> common_value(const Setup& setup, std::string_view name)
{
    if (name == "j") return setup.host_name;
    if (name == "v") return setup.version_text;
    if (name == "daemon_name") return setup.daemon_name;
    return std::nullopt;
}

std::shared_ptr<const Setup> Setup::from(const config::Settings& settings, bool is_chrooted)
{
    auto setup = std::make_shared<Setup>();
    static constexpr std::pair<Stage, const char*> lists[] = {{Stage::connect, "milter_connect_macros"},
                                                              {Stage::helo, "milter_helo_macros"},
                                                              {Stage::mail, "milter_mail_macros"},
                                                              {Stage::rcpt, "milter_rcpt_macros"},
                                                              {Stage::data, "milter_data_macros"},
                                                              {Stage::end_of_message, "milter_end_of_data_macros"},
                                                              {Stage::end_of_header, "milter_end_of_header_macros"},
                                                              {Stage::unknown, "milter_unknown_command_macros"}};
    for (const auto& [stage, parameter] : lists)
        setup->macros.of[static_cast<std::size_t>(stage)] = MacroNames::parse(settings.str(parameter));
    for (const std::string& word : settings.list("milter_macro_defaults")) {
        // "{name}=value" begins with a brace, and is no group: only "{ name = value }" is.
        const auto group = config::inside_braces(word);
        std::string trouble;
        const auto pair = config::split_name_value(group ? *group : std::string_view(word), trouble);
        if (!pair) {
            throw config::ConfigError("milter_macro_defaults: " + trouble, settings.location("milter_macro_defaults"));
        }
        setup->macro_defaults.emplace_back(pair->name, pair->value);
    }
    setup->host_name = settings.str("myhostname");
    setup->daemon_name = settings.str("milter_macro_daemon_name");
    setup->version_text = settings.str("milter_macro_v");
    setup->known_ports = settings.str("known_tcp_ports");
    setup->queue_directory = settings.str("queue_directory");
    setup->is_chrooted = is_chrooted;
    setup->defaults.connect_timeout = settings.time("milter_connect_timeout");
    setup->defaults.command_timeout = settings.time("milter_command_timeout");
    setup->defaults.content_timeout = settings.time("milter_content_timeout");
    const std::string action = settings.str("milter_default_action"), version = settings.str("milter_protocol");
    const auto found_action = action_named(action);
    if (!found_action)
        throw config::ConfigError("bad milter_default_action value: " + action,
                                  settings.location("milter_default_action"));
    setup->defaults.default_action = *found_action;
    const auto found_version = version_named(version);
    if (!found_version)
        throw config::ConfigError("bad milter_protocol value: " + version, settings.location("milter_protocol"));
    setup->defaults.version = *found_version;
    return setup;
}

} // namespace ekiden::milter
