#include "tools/postconf.hpp"

#include "base/text.hpp"
#include "config/parameters.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace ekiden::tools::postconf {

namespace {

bool has_class(const Options& options, std::string_view wanted)
{
    return std::ranges::any_of(base::split_any(options.classes), [&](std::string_view name) {
        return base::equal_ignoring_case(name, wanted) || base::equal_ignoring_case(name, "all");
    });
}

// Names that the chosen classes hold; a legacy name only where it is set or asked for.
std::vector<std::string> candidate_names(const Options& options, const Files& files)
{
    std::vector<std::string> names;
    if (has_class(options, "builtin"))
        for (const auto& row : config::all_parameters())
            if (!row.is_obsolete() && (!row.is_legacy() || files.settings->is_set(row.name)))
                names.emplace_back(row.name);
    if (has_class(options, "service"))
        names.insert(names.end(), files.service_names.begin(), files.service_names.end());
    if (has_class(options, "user") && !options.shows_defaults)
        names.insert(names.end(), files.user_names.begin(), files.user_names.end());
    // Of both classes: local_destination_concurrency_limit, which has a default of its own.
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    return names;
}

void print_parameter(const Options& options, const Files& files, const std::string& name)
{
    const auto& settings = *files.settings;
    const auto raw = settings.raw(name);
    const auto* row = config::find_parameter(name);
    const bool is_expanded_later = row != nullptr && row->kind == config::Kind::raw;
    if (!options.expands || is_expanded_later) {
        print_entry(options, name, raw);
        return;
    }
    try {
        print_entry(options, name, settings.expand(raw));
    } catch (const config::ConfigError&) {
        throw Fatal("dictionary mail_dict: macro processing error");  // what is wrong has been said as a warning
    }
}

// ---- master.cf ----

struct Field {
    std::string_view name;
    std::string config::ServiceSpec::* value;
};
constexpr std::array fields{
    Field{"service", &config::ServiceSpec::name},
    Field{"type", &config::ServiceSpec::type},
    Field{"private", &config::ServiceSpec::private_field},
    Field{"unprivileged", &config::ServiceSpec::unprivileged_field},
    Field{"chroot", &config::ServiceSpec::chroot_field},
    Field{"wakeup", &config::ServiceSpec::wakeup},
    Field{"process_limit", &config::ServiceSpec::max_processes},
    Field{"command", nullptr},
};

std::string command_line(const config::ServiceSpec& service)
{
    std::string text = service.command;
    for (const auto& word : service.raw_arguments) text.append(" ").append(word);
    return text;
}

// name[/type[/third]] with `*` for any.
struct Request {
    std::string text;
    std::vector<std::string> parts;
    mutable bool is_matched = false;

    bool matches(std::size_t index, std::string_view value) const
    {
        return index >= parts.size() || parts[index] == "*" || parts[index] == value;
    }
    bool matches(const config::ServiceSpec& service) const
    {
        return matches(0, service.name) && matches(1, service.type);
    }
};

// "smtp/inet/parameter"; the service name itself may hold no slash but an address may hold colons.
std::vector<Request> parse_requests(const Options& options)
{
    const std::size_t most = options.mode == 'M' ? 2 : 3;
    std::vector<Request> requests;
    for (const auto& name : options.names) {
        Request request{name, {}};
        for (const auto part : base::split(name, '/')) request.parts.emplace_back(part);
        if (request.parts.size() > most || request.parts[0].empty())
            throw Fatal(options.mode == 'M'   ? "-M option requires service_name[/type]"
                        : options.mode == 'F' ? "-F option requires service_name[/type[/field]]"
                                              : "-P option requires service_name[/type[/parameter]]");
        if (options.mode == 'F' && request.parts.size() == 3 && request.parts[2] != "*"
            && std::ranges::find(fields, std::string_view(request.parts[2]), &Field::name) == fields.end())
            throw Fatal(fmt::format("invalid service attribute name: \"{}\"", request.parts[2]));
        requests.push_back(std::move(request));
    }
    if (requests.empty()) requests.push_back({"*", {"*"}, true});
    return requests;
}

void print_third(const Options& options, const config::ServiceSpec& service, std::string_view third,
                 std::string_view value)
{
    print_entry(options, fmt::format("{}/{}/{}", service.name, service.type, third), value);
}

void print_service(const Options& options, const Files& files, const config::ServiceSpec& service,
                   const std::vector<Request>& requests)
{
    if (options.mode == 'M') {
        bool is_wanted = false;
        for (const auto& request : requests)
            if (request.matches(service)) request.is_matched = is_wanted = true;
        if (is_wanted) fmt::print("{}\n", format_service(service, options.folds));
        return;
    }
    std::vector<std::pair<std::string, std::string>> values;
    if (options.mode == 'F') {
        for (const auto& field : fields)
            values.emplace_back(field.name, field.value != nullptr ? service.*field.value : command_line(service));
    } else {
        // Of a parameter given twice the last one holds, also when it stands in a later entry of the same name and type.
        std::map<std::string, std::string> merged;
        for (const auto& other : files.services)
            if (other.name == service.name && other.type == service.type)
                for (const auto& [name, value] : other.overrides) merged[name] = value;
        std::erase_if(merged, [&](const auto& entry) {
            return std::ranges::find(service.overrides, entry.first, &std::pair<std::string, std::string>::first)
                   == service.overrides.end();
        });
        values.assign(merged.begin(), merged.end());
    }
    for (const auto& [name, value] : values)
        for (const auto& request : requests)
            if (request.matches(service) && request.matches(2, name)) {
                request.is_matched = true;
                print_third(options, service, name, files.service_value(options, service, value));
            }
}

}  // namespace

void list_parameters(const Options& options, const Files& files)
{
    const auto names = candidate_names(options, files);
    if (options.names.empty()) {
        for (const auto& name : names)
            if (!options.only_set || files.settings->is_set(name)) print_parameter(options, files, name);
        return;
    }
    for (const auto& name : options.names) {
        const auto* row = config::find_parameter(name);
        const bool is_known = std::ranges::binary_search(names, name) || (row != nullptr && row->is_legacy());
        if (!is_known)
            warn(options, fmt::format("{}: unknown parameter", name));
        else if (!options.only_set || files.settings->is_set(name))
            print_parameter(options, files, name);
    }
}

void list_services(const Options& options, const Files& files)
{
    const auto requests = parse_requests(options);
    // Complaints about requests come first, as the reference has it.
    for (const auto& service : files.services)
        for (const auto& request : requests) {
            if (!request.matches(service)) continue;
            if (options.mode != 'P' || std::ranges::any_of(service.overrides,
                                    [&](const auto& pair) { return request.matches(2, pair.first); }))
                request.is_matched = true;
        }
    for (const auto& request : requests)
        if (!request.is_matched) warn(options, fmt::format("unmatched request: \"{}\"", request.text));
    for (const auto& service : files.services) print_service(options, files, service, requests);
}

}  // namespace ekiden::tools::postconf
