#include "config/checks.hpp"

#include "base/text.hpp"
#include "config/runtime_defaults.hpp"
#include "config/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <grp.h>
#include <pwd.h>

namespace ekiden::config {

namespace {

constexpr std::array<std::string_view, 20> facilities{
    "auth", "authpriv", "cron",   "daemon", "ftp",    "kern",   "lpr",    "mail",   "news",   "syslog",
    "user", "uucp",     "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};

std::string main_cf(const Settings& settings) { return settings.directory() + "/main.cf"; }

// What a value of this row must be.
std::string wanted_value(const Parameter& parameter)
{
    std::string bounds;
    if (parameter.min != 0) bounds += fmt::format(", at least {}", parameter.min);
    if (parameter.max != 0) bounds += fmt::format(", at most {}", parameter.max);
    switch (parameter.kind) {
    case Kind::boolean: return "write yes or no";
    case Kind::integer:
    case Kind::big_integer: return "write a whole number" + bounds;
    case Kind::time:
        return fmt::format("write a number and s, m, h, d or w, such as 30s{}{}", bounds, bounds.empty() ? "" : "s");
    case Kind::text:
    case Kind::raw: break;
    }
    if (parameter.min == 1 && parameter.max == 0) return "write a value, or remove the line";
    return bounds.empty() ? std::string() : "write a text" + bounds + " characters long";
}

Problem bad_value(const Location& at, std::string text, std::string_view parameter, std::string advice = {})
{
    return {Problem::Level::fatal, at, std::move(text), std::string(parameter), std::move(advice)};
}

std::optional<Problem> look_at(const Setting& setting)
{
    // A default is bad only through what it mentions ($virtual_mailbox_base has none until virtual(8) is used).
    if (setting.parameter == nullptr || (!setting.is_set && setting.raw.find('$') == std::string::npos))
        return std::nullopt;
    auto text = check_value(*setting.parameter, setting.expanded);
    if (!text) return std::nullopt;
    return bad_value(setting.at, std::move(*text), setting.parameter->name, wanted_value(*setting.parameter));
}

// Of a delivery agent that no mail goes to: "virtual_mailbox_base =" beside "virtual_transport = dovecot" is usual, and
// Postfix's agent, which would refuse it, never runs.
bool is_idle(const Settings::Data& data, const Parameter& row)
{
    if (row.readers != "virtual" || row.kind != Kind::text || data.services.empty()) return false;
    const std::string_view transport = data.find("virtual_transport")->expanded;
    const auto service = std::ranges::find(data.services, transport.substr(0, transport.find(':')), &ServiceSpec::name);
    return service != data.services.end() && service->command != "virtual";
}

std::optional<Problem> look_at_service_parameter(const Settings& settings, std::string_view name)
{
    const auto* row = find_service_parameter(name);
    const auto* setting = settings.data().find(name);
    if (row == nullptr || setting == nullptr || setting->parameter != nullptr) return std::nullopt;
    const Parameter as_parameter{name, row->kind};
    auto text = check_value(as_parameter, setting->expanded);
    if (!text) return std::nullopt;
    return bad_value(setting->at, std::move(*text), name, wanted_value(as_parameter));
}

}  // namespace

std::string hostname_trouble(std::string_view name)
{
    if (name.empty()) return "empty hostname";
    if (name.size() > 255) return fmt::format("bad length {} for {}...", name.size(), name.substr(0, 100));
    std::size_t label = 0;
    bool is_numeric = true;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if (base::is_alnum(c) || c == '_') {
            if (!base::is_digit(c)) is_numeric = false;
            if (++label > 63) return fmt::format("hostname label too long: {}", name.substr(0, 100));
        } else if (c == '.') {
            if (label == 0 || i + 1 == name.size()) return fmt::format("misplaced delimiter: {}", name.substr(0, 100));
            label = 0;
        } else if (c == '-') {
            is_numeric = false;
            ++label;
            if (label == 1 || i + 1 == name.size() || name[i + 1] == '.')
                return fmt::format("misplaced hyphen: {}", name.substr(0, 100));
        } else {
            return fmt::format("invalid character {}(decimal): {}", static_cast<int>(static_cast<unsigned char>(c)),
                               name.substr(0, 100));
        }
    }
    return is_numeric ? fmt::format("numeric hostname: {}", name.substr(0, 100)) : std::string();
}

std::vector<Problem> find_bad_values(const Settings& settings, Checks level)
{
    std::vector<Problem> problems;
    if (level == Checks::none) return problems;
    const auto& data = settings.data();
    // In the order of the table, so that of several mistakes the same one is always named first; what somebody has set
    // before the defaults that mention it, so that the name is one that stands in the file.
    for (const bool is_set : {true, false}) {
        if (!is_set && !problems.empty()) break;
        for (const auto& row : all_parameters()) {
            if (level != Checks::server && !row.is_global()) continue;
            const auto* setting = data.find(row.name);
            if (setting == nullptr || setting->is_set != is_set || is_idle(data, row)) continue;
            if (auto problem = look_at(*setting)) problems.push_back(std::move(*problem));
        }
    }
    if (level == Checks::server)
        for (const auto& name : data.names_in_order)
            if (auto problem = look_at_service_parameter(settings, name)) problems.push_back(std::move(*problem));

    const auto add = [&](std::string_view name, std::string text, std::string advice) {
        // What is bad for two reasons is written anew once.
        if (std::ranges::find(problems, name, &Problem::parameter) == problems.end())
            problems.push_back(bad_value(data.find(name)->at, std::move(text), name, std::move(advice)));
    };
    for (const std::string_view name : {"myhostname", "mydomain"}) {
        const auto& value = data.find(name)->expanded;
        if (!hostname_trouble(value).empty())
            add(name, fmt::format("file {}: parameter {}: bad parameter value: {}", main_cf(settings), name, value),
                "write a domain name");
    }
    if (const auto& value = data.find("myorigin")->expanded; base::split_any(value).size() > 1)
        add("myorigin", fmt::format("myorigin parameter setting must not contain multiple values: {}", value),
            "write one domain");
    const auto& facility = data.find("syslog_facility")->expanded;
    if (std::ranges::none_of(facilities, [&](auto name) { return base::equal_ignoring_case(name, facility); }))
        add("syslog_facility",
            fmt::format("file {}: parameter syslog_facility: unrecognized value: {}", main_cf(settings), facility),
            "write mail, daemon, or local0 to local7");
    const auto& interfaces = *data.find("inet_interfaces");
    try {
        const auto own = own_addresses(interfaces.expanded, data.find("inet_protocols")->expanded);
        // Beside mynetworks nobody asks for the style.
        if (!data.find("mynetworks")->is_set) default_mynetworks(data.find("mynetworks_style")->expanded, own);
    } catch (const ConfigError& error) {
        const std::string_view text = error.what();
        const bool is_family = text.contains("inet_protocols value");
        add(is_family ? "inet_protocols" : "inet_interfaces", std::string(text),
            is_family ? "write all, ipv4 or ipv6" : "");
    }
    return problems;
}

namespace {

void refuse_first(const std::vector<Problem>& problems)
{
    if (!problems.empty()) throw ConfigError(problems.front().text, problems.front().at);
}

}  // namespace

std::string wanted_value(std::string_view name)
{
    if (const auto* row = find_parameter(name)) return wanted_value(*row);
    const auto* row = find_service_parameter(name);
    return row == nullptr ? std::string() : wanted_value(Parameter{name, row->kind});
}

void check_settings(const Settings& settings, Checks level) { refuse_first(find_bad_values(settings, level)); }

void check_names(const Settings& settings, const std::vector<std::string_view>& names)
{
    for (const auto name : names) {
        const auto* setting = settings.data().find(name);
        auto problem = setting != nullptr ? look_at(*setting) : std::nullopt;
        if (!problem) problem = look_at_service_parameter(settings, name);
        if (problem) throw ConfigError(problem->text, problem->at);
    }
}

void check_owner(const Settings& settings)
{
    const auto file = main_cf(settings);
    const auto owner = settings.str("mail_owner");
    const auto group = settings.str("setgid_group");
    const passwd* user = getpwnam(owner.c_str());
    if (user == nullptr)
        throw ConfigError(fmt::format("file {}: parameter mail_owner: unknown user name value: {}", file, owner));
    if (user->pw_uid == 0)
        throw ConfigError(fmt::format("file {}: parameter mail_owner: user {} has privileged user ID", file, owner));
    if (user->pw_gid == 0)
        throw ConfigError(fmt::format("file {}: parameter mail_owner: user {} has privileged group ID", file, owner));
    const auto owner_group = user->pw_gid;
    const ::group* entry = getgrnam(group.c_str());
    if (entry == nullptr)
        throw ConfigError(fmt::format("file {}: parameter setgid_group: unknown group name: {}", file, group));
    if (entry->gr_gid == 0)
        throw ConfigError(
            fmt::format("file {}: parameter setgid_group: group {} has privileged group ID", file, group));
    if (entry->gr_gid == owner_group)
        throw ConfigError(
            fmt::format("file {}: parameters mail_owner and setgid_group: user {} and group {} have the same "
                        "group ID: {}",
                        file, owner, group, owner_group));
}

}  // namespace ekiden::config
