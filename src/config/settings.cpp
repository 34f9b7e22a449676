#include "config/settings.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/checks.hpp"
#include "config/expand.hpp"
#include "config/main_cf.hpp"
#include "config/runtime_defaults.hpp"
#include "config/snapshot.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <unistd.h>

namespace ekiden::config {

namespace {

constexpr std::string_view default_directory = "/etc/postfix";

std::string main_cf_path(const std::string& directory) { return directory + "/main.cf"; }

// Debian's Postfix takes "myorigin = /etc/mailname" for the name of a file whose first line is the domain; its users have
// written so for years. Other parameters that mention $myorigin see the file's name, as there.
void read_origin(Setting& setting)
{
    if (!setting.expanded.starts_with('/')) return;
    const auto text = base::read_file(setting.expanded, 4096);
    if (!text) throw ConfigError(fmt::format("myorigin = {}: {}", setting.expanded, text.error().text()), setting.at);
    const auto domain = base::trim(std::string_view(*text).substr(0, text->find('\n')));
    if (domain.empty())
        throw ConfigError(
            fmt::format("myorigin = {}: there is no domain in the first line of this file", setting.expanded),
            setting.at);
    setting.expanded = domain;
}

// A parameter's value with the text of the accessor's complaint in case it does not parse.
[[noreturn]] void refuse(const Setting& setting, std::string text) { throw ConfigError(std::move(text), setting.at); }

}  // namespace

std::string place_of(const Location& at)
{
    if (at.line == 0) return at.file.empty() ? std::string() : at.file + ": ";
    return fmt::format("{}{} line {}: ", at.file, at.file.ends_with("master.cf") ? ":" : ",", at.line);
}

Problem make_problem(Problem::Level level, const Location& at, std::string_view what, std::string_view parameter,
                     std::string_view advice)
{
    return {level, at, fmt::format("{}{}{}{}", place_of(at), what, advice.empty() ? "" : ": ", advice),
            std::string(parameter), std::string(advice)};
}

std::string find_config_directory(std::string_view from_option)
{
    if (!from_option.empty()) return std::string(from_option);
    if (const char* environment = std::getenv("MAIL_CONFIG"); environment != nullptr && *environment != '\0')
        return environment;
    return std::string(default_directory);
}

std::optional<std::string_view> Settings::Data::raw(std::string_view name) const
{
    if (const auto* setting = find(name)) return setting->raw;
    if (const auto* row = find_service_parameter(name)) return row->default_value;
    return std::nullopt;
}

void Settings::Data::set(std::string_view name, std::string_view value, Location at)
{
    auto [position, is_new] = values.try_emplace(std::string(name));
    auto& setting = position->second;
    if (!setting.is_set) names_in_order.emplace_back(name);
    if (is_new) setting.parameter = find_parameter(name);
    setting.raw = value;
    setting.at = std::move(at);
    setting.is_set = true;
}

void Settings::Data::finish()
{
    const NameLookup lookup = [this](std::string_view name) { return raw(name); };
    const auto expand_one = [&](std::string_view name, Setting& setting) {
        if (setting.parameter != nullptr && setting.parameter->kind == Kind::raw) {
            setting.expanded = setting.raw;
            return;
        }
        try {
            setting.expanded = config::expand(setting.raw, lookup);
        } catch (const ExpandError& error) {
            // Where a default mentions a name that is none, it is $mydomain that is at fault: check_settings will say so.
            if (!setting.is_set && dynamic_cast<const NoDomainName*>(&error) != nullptr) {
                setting.expanded = setting.raw;
                return;
            }
            if (checks != Checks::none)
                throw ConfigError(fmt::format("{}parameter {}: {}", setting.at.line > 0 ? place_of(setting.at) : "",
                                              name, error.warning()),
                                  setting.at);
            problems.push_back({Problem::Level::warning, setting.at, error.warning()});
            setting.expanded = setting.raw;
        }
    };
    const auto expanded = [&](std::string_view name) -> std::string_view {
        auto& setting = values.find(name)->second;
        expand_one(name, setting);
        return setting.expanded;
    };
    const auto assign_default = [&](std::string_view name, auto make) {
        auto& setting = values.find(name)->second;
        if (!setting.is_set) setting.raw = make();
    };

    if (const auto level = parse_compatibility_level(expanded("compatibility_level")))
        compatibility_level = *level;
    else if (checks != Checks::none)
        throw ConfigError(fmt::format("malformed compatibility level syntax: \"{}\"", expanded("compatibility_level")),
                          values.find("compatibility_level")->second.at);

    // Each of the two is the other's default; without either the machine's name decides.
    assign_default("myhostname", [&] {
        return default_myhostname(values.find("mydomain")->second.is_set ? expanded("mydomain") : std::string_view());
    });
    assign_default("mydomain", [&] { return default_mydomain(expanded("myhostname")); });
    assign_default("process_name", [] { return std::string(program_invocation_short_name); });
    assign_default("process_id", [] { return std::to_string(getpid()); });
    assign_default("mynetworks", [&]() -> std::string {
        try {
            return default_mynetworks(expanded("mynetworks_style"),
                                      own_addresses(expanded("inet_interfaces"), expanded("inet_protocols")));
        } catch (const ConfigError& error) {
            if (checks != Checks::none) throw;
            problems.push_back({Problem::Level::fatal, error.location, error.what()});
            return {};
        }
    });
    // What somebody has set first, so that a complaint names what stands in the file and no default that mentions it.
    for (const auto& name : names_in_order) expand_one(name, values.find(name)->second);
    for (auto& [name, setting] : values)
        if (!setting.is_set) expand_one(name, setting);
    if (checks != Checks::none) read_origin(values.find("myorigin")->second);
}

std::shared_ptr<const Settings> Settings::load(const LoadOptions& options)
{
    auto data = std::make_shared<Data>();
    data->directory = find_config_directory(options.directory);
    data->checks = options.effective_checks();
    data->values.reserve(2048);
    for (const auto& row : all_parameters()) {
        if (row.is_obsolete()) continue;
        auto& setting = data->values[std::string(row.name)];
        setting.raw = row.default_value;
        setting.parameter = &row;
    }

    const auto path = main_cf_path(data->directory);
    if (options.read_main_cf) {
        auto file = parse_main_cf(read_config_file(path), path);
        data->problems = std::move(file.problems);
        for (const auto& entry : file.entries) data->set(entry.name, entry.value, {path, entry.line});
        // The directory is a fact, whatever main.cf says.
        if (data->directory != default_directory) data->set("config_directory", data->directory, {});
    }
    for (const auto& [name, value] : options.overrides) data->set(name, value, {"-o", 0});
    if (options.read_master_cf)
        data->services = read_master_cf(data->directory + "/master.cf", data->checks == Checks::server);
    data->finish();
    if (const auto* disabled = data->find("master_service_disable"); disabled != nullptr && !disabled->expanded.empty())
        std::erase_if(data->services,
                      [&](const ServiceSpec& service) { return is_disabled(service, disabled->expanded); });

    auto settings = std::make_shared<const Settings>(data);
    check_settings(*settings, data->checks);
    return settings;
}

namespace {

struct Override {
    std::string_view name, value;
    Location at;
};

// `at` is the place for what no single override is to blame for.
std::shared_ptr<const Settings> apply(const Settings::Data& base, const std::vector<Override>& overrides,
                                      const Location& at)
{
    auto data = std::make_shared<Settings::Data>(base);
    for (const auto& [name, value, place] : overrides) data->set(name, value, place);
    try {
        data->finish();
        auto settings = std::make_shared<const Settings>(data);
        std::vector<std::string_view> names;
        for (const Override& entry : overrides) names.push_back(entry.name);
        if (data->checks != Checks::none) check_names(*settings, names);
        return settings;
    } catch (const ConfigError& error) {
        if (at.line == 0) throw;
        const Location& place = error.location.line > 0 && error.location.file == at.file ? error.location : at;
        const auto prefix = place_of(place);
        const std::string text = error.what();
        throw ConfigError(text.starts_with(prefix) ? text : prefix + text, place);
    }
}

}  // namespace

std::shared_ptr<const Settings> Settings::with(const std::vector<std::pair<std::string, std::string>>& overrides,
                                               Location at) const
{
    std::vector<Override> entries;
    for (const auto& [name, value] : overrides) entries.push_back({name, value, at});
    return apply(*data_, entries, at);
}

std::shared_ptr<const Settings> Settings::for_service(const ServiceSpec& service) const
{
    const Location at{service.file, service.line};
    std::vector<Override> entries{{"service_name", service.name, at}, {"process_name", service.command, at}};
    for (std::size_t i = 0; i < service.overrides.size(); ++i)
        entries.push_back({service.overrides[i].first, service.overrides[i].second, {service.file, service.line_of(i)}});
    return apply(*data_, entries, at);
}

Settings::Settings(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

namespace {

// The setting of a name of the table (or one that main.cf defines); anything else is our mistake, not the user's.
const Setting& get(const Settings::Data& data, std::string_view name)
{
    if (const auto* setting = data.find(name)) return *setting;
    throw ConfigError(fmt::format("parameter {}: not in the table of parameters", name));
}

const Setting& checked(const Settings::Data& data, std::string_view name, Kind kind)
{
    const auto& setting = get(data, name);
    Parameter row = setting.parameter != nullptr ? *setting.parameter : Parameter{name, kind};
    // A number may be asked of a row that is text (a feedback, say), but never the other way round.
    if (row.kind != kind) row = Parameter{name, kind, row.default_value};
    if (auto text = check_value(row, setting.expanded)) refuse(setting, std::move(*text));
    return setting;
}

}  // namespace

std::string Settings::str(std::string_view name) const
{
    const auto* setting = data_->find(name);
    if (setting == nullptr && find_service_parameter(name) != nullptr) return expand(*data_->raw(name));
    return get(*data_, name).expanded;
}

std::int64_t Settings::integer(std::string_view name) const
{
    const auto* setting = data_->find(name);
    const bool is_big =
        setting != nullptr && setting->parameter != nullptr && setting->parameter->kind == Kind::big_integer;
    return *parse_integer(checked(*data_, name, is_big ? Kind::big_integer : Kind::integer).expanded, true);
}

bool Settings::boolean(std::string_view name) const
{
    return *parse_boolean(checked(*data_, name, Kind::boolean).expanded);
}

std::chrono::seconds Settings::time(std::string_view name) const
{
    const auto& setting = checked(*data_, name, Kind::time);
    const auto fallback = setting.parameter != nullptr ? setting.parameter->default_value : std::string_view("s");
    return *parse_time(setting.expanded, default_unit(fallback));
}

std::vector<std::string> Settings::list(std::string_view name) const { return split_list(get(*data_, name).expanded); }

std::string Settings::raw(std::string_view name) const
{
    const auto value = data_->raw(name);
    if (!value) get(*data_, name);
    return std::string(*value);
}

bool Settings::is_set(std::string_view name) const
{
    const auto* setting = data_->find(name);
    return setting != nullptr && setting->is_set;
}

Location Settings::location(std::string_view name) const
{
    const auto* setting = data_->find(name);
    return setting != nullptr ? setting->at : Location{};
}

namespace {

// The value of `<transport>_<suffix>`: set in main.cf, or the service default (which names the general parameter).
std::pair<std::string, const Setting*> transport_value(const Settings& settings, std::string_view transport,
                                                       std::string_view suffix, const ServiceParameter*& row)
{
    const auto name = fmt::format("{}_{}", transport, suffix);
    row = find_service_parameter(name);
    if (row == nullptr) throw ConfigError(fmt::format("parameter {}: not a parameter of services", name));
    return {settings.str(name), settings.data().find(name)};
}

}  // namespace

std::int64_t Settings::transport_integer(std::string_view transport, std::string_view suffix) const
{
    const ServiceParameter* row = nullptr;
    const auto [value, setting] = transport_value(*this, transport, suffix, row);
    if (const auto number = parse_integer(value)) return *number;
    throw ConfigError(fmt::format("bad numerical configuration: {}_{} = {}", transport, suffix, value),
                      setting != nullptr ? setting->at : Location{});
}

std::chrono::seconds Settings::transport_time(std::string_view transport, std::string_view suffix) const
{
    const ServiceParameter* row = nullptr;
    const auto [value, setting] = transport_value(*this, transport, suffix, row);
    if (const auto seconds = parse_time(value)) return *seconds;
    throw ConfigError(fmt::format("parameter {}_{}: bad time value or unit: {}", transport, suffix, value),
                      setting != nullptr ? setting->at : Location{});
}

std::string Settings::expand(std::string_view text) const
{
    try {
        return config::expand(text, [this](std::string_view name) -> std::optional<std::string_view> {
            return data_->raw(name);
        });
    } catch (const ExpandError& error) {
        throw ConfigError(error.warning());
    }
}

const std::string& Settings::directory() const { return data_->directory; }
const std::vector<ServiceSpec>& Settings::services() const { return data_->services; }
const std::vector<Problem>& Settings::problems() const { return data_->problems; }
std::vector<std::string> Settings::names_set() const { return data_->names_in_order; }

int Settings::compatibility_level() const { return static_cast<int>(data_->compatibility_level / (1024 * 1024)); }

bool Settings::compatibility_level_is_at_least(int major, int minor, int patch) const
{
    return data_->compatibility_level >= (std::int64_t{major} * 1024 + minor) * 1024 + patch;
}

}  // namespace ekiden::config
