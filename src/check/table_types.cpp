#include "check/table_types.hpp"

#include "base/text.hpp"
#include "check/restriction.hpp"
#include "config/parameters.hpp"
#include "config/snapshot.hpp"
#include "net/endpoint.hpp"
#include "table/table.hpp"

#include <fmt/format.h>

#include <set>

namespace ekiden::check {
namespace {

// The type of "type:name", "" where the word is something else: a network, a path, a service.
std::string_view type_of(std::string_view word)
{
    while (word.starts_with('!')) word.remove_prefix(1);
    if (word.starts_with("proxy:")) word.remove_prefix(6);
    const std::size_t colon = word.find(':');
    if (colon == std::string_view::npos || colon == 0 || net::parse_network(word)) return {};
    const std::string_view type = word.substr(0, colon);
    if (type.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != std::string_view::npos) return {};
    return type;
}

std::string_view nearest_type(std::string_view type)
{
    std::string_view best;
    int distance = 3;
    for (const std::string_view known : table::known_types()) {
        const int edits = base::edit_distance(type, known, distance);
        if (edits < distance) {
            distance = edits;
            best = known;
        }
    }
    return best;
}

class Finder {
public:
    explicit Finder(const config::Settings& settings) : settings_(settings)
    {
        if (const auto* all = config::find_parameter("proxy_read_maps")) {
            for (std::string_view name : base::split_any(all->default_value)) {
                if (name.starts_with('$')) holders_.emplace(name.substr(1));
            }
        }
        for (const char* name : {"alias_database", "relay_clientcerts", "mynetworks", "permit_mx_backup_networks"}) holders_.emplace(name);
        for (const std::string& name : settings.list("smtpd_restriction_classes")) lists_.insert(name);
    }

    std::vector<config::Problem> run()
    {
        for (const std::string& name : settings_.names_set()) {
            const auto* setting = settings_.data().find(name);
            if (setting->at.line > 0) look_at(name, setting->expanded, setting->at, fmt::format("{}, line {}: ", setting->at.file, setting->at.line));
        }
        for (const auto& service : settings_.services()) {
            for (const auto& [name, value] : service.overrides)
                look_at(name, settings_.expand(value), {service.file, service.line}, fmt::format("{}: line {}: -o ", service.file, service.line));
        }
        return std::move(problems_);
    }

private:
    void look_at(const std::string& name, const std::string& value, const config::Location& at, const std::string& place)
    {
        const bool is_list = lists_.contains(name) || (name.starts_with("smtpd_") && name.ends_with("_restrictions"));
        if (!is_list && !holders_.contains(name)) return;
        auto complain = [&](std::string_view word) {
            const std::string_view type = type_of(word);
            if (type.empty() || table::is_known_type(type)) return;
            const std::string_view nearest = nearest_type(type);
            problems_.push_back({config::Problem::Level::fatal, at,
                                 fmt::format("{}{}: unsupported dictionary type: {}{}", place, name, type, nearest.empty() ? "" : fmt::format(" (is {} meant?)", nearest))});
        };
        const auto words = base::split_quoted_braces(value);
        for (std::size_t i = 0; i < words.size(); ++i) {
            const std::string_view word = words[i];
            if (word.starts_with('#')) break;
            const Row* row = is_list ? find_row(word) : nullptr;
            if (!row || row->argument == Argument::none) {
                complain(word);
                continue;
            }
            // What follows is a table only if the restriction takes one.
            ++i;
            if (i < words.size() && (row->argument == Argument::table || row->argument == Argument::certificate_table))
                complain(words[i].starts_with('{') ? base::trim(words[i].substr(1)) : words[i]);
        }
    }

    const config::Settings& settings_;
    std::set<std::string, std::less<>> holders_, lists_;
    std::vector<config::Problem> problems_;
};

}  // namespace

std::vector<config::Problem> find_unknown_table_types(const config::Settings& settings) { return Finder(settings).run(); }

}  // namespace ekiden::check
