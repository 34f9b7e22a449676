#include "check/settings_problems.hpp"

#include "base/text.hpp"
#include "check/policy.hpp"
#include "check/policy_protocol.hpp"
#include "check/rules.hpp"
#include "config/parameters.hpp"
#include "config/snapshot.hpp"
#include "net/endpoint.hpp"
#include "table/table.hpp"

#include <fmt/format.h>

#include <algorithm>
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

// Zones of seeds and old manuals that are gone. Some of them named everybody before they went.
struct ClosedZone {
    std::string_view zone, advice;
};
constexpr ClosedZone closed_zones[] = {
    {"ahbl.org", "it ended in 2015 and listed everybody then"},
    {"blitzed.org", "it ended in 2006"},
    {"dsbl.org", "it has ended"},
    {"maps.vix.com", "it has ended"},
    {"njabl.org", "it ended in 2013"},
    {"ordb.org", "it ended in 2006 and listed everybody later"},
    {"sorbs.net", "it ended in 2024"},
    {"spamcop.net", "the list is bl.spamcop.net"},
    {"wirehub.net", "it has ended"},
    {"cbl.abuseat.org", "it is part of zen.spamhaus.org"},
};

std::string_view advice_about(std::string_view zone)
{
    zone = zone.substr(0, zone.find('='));
    for (const ClosedZone& closed : closed_zones) {
        if (base::equal_ignoring_case(zone, closed.zone)) return closed.advice;
        if (closed.zone == "spamcop.net" || zone.size() <= closed.zone.size()) continue;
        const std::size_t head = zone.size() - closed.zone.size();
        if (zone[head - 1] == '.' && base::equal_ignoring_case(zone.substr(head), closed.zone)) return closed.advice;
    }
    return {};
}

// What cannot be made of a restriction's argument, in the words of the run time, or "".
std::string flaw_of(const Row& row, std::string_view argument)
{
    const auto told = [](const auto& result) { return result ? std::string() : result.error().text(); };
    switch (row.argument) {
        case Argument::table:
            if (argument.find(':') == std::string_view::npos) return fmt::format("restriction {}: bad argument \"{}\": need maptype:mapname", row.name, argument);
            return {};
        case Argument::certificate_table: return told(parse_certificate_table(argument));
        case Argument::service: return told(parse_policy_server(argument, {}));
        case Argument::domain: {
            if (argument.empty()) return fmt::format("restriction {} requires domain name argument", row.name);
            const std::size_t equals = argument.find('=');
            if (equals == std::string_view::npos) return {};
            const auto pattern = parse_reply_pattern(argument.substr(equals + 1));
            return pattern ? std::string() : fmt::format("restriction {}: {}", row.name, pattern.error().text());
        }
        case Argument::number:
        case Argument::none: break;
    }
    return {};
}

class Finder {
public:
    Finder(const config::Settings& settings, bool wants_hints) : settings_(settings), wants_hints_(wants_hints)
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
        if (!wants_hints_) look_for_open_relays();
        return std::move(problems_);
    }

private:
    struct Place {
        const std::string& name;
        const config::Location& at;
        const std::string& text;
    };

    void fatal(const Place& place, std::string_view what)
    {
        if (!wants_hints_) add_fatal(place.at, fmt::format("{}{}: {}", place.text, place.name, what));
    }
    // Three tables of one list that are of the same type, or five services with the same lists, are one problem.
    void add_fatal(const config::Location& at, std::string text)
    {
        if (std::ranges::find(problems_, text, &config::Problem::text) == problems_.end())
            problems_.push_back({config::Problem::Level::fatal, at, std::move(text)});
    }
    void hint(const Place& place, std::string_view what)
    {
        if (wants_hints_) problems_.push_back({config::Problem::Level::warning, place.at, fmt::format("{}{}: {}", place.text, place.name, what)});
    }

    // Lists that are empty because an old main.cf has no compatibility_level are the most frequent case, and the least obvious.
    void look_for_open_relays()
    {
        for (const auto& service : settings_.services()) {
            if (service.command != "smtpd") continue;
            const auto own = settings_.for_service(service);
            if (!is_open_relay(*own)) continue;
            config::Location at = own->location("smtpd_relay_restrictions");
            if (at.line == 0) at = own->location("smtpd_recipient_restrictions");
            const bool is_default = own->location("smtpd_relay_restrictions").line == 0 && own->str("smtpd_relay_restrictions").empty();
            add_fatal(at, fmt::format("{}{}{}", at.line > 0 ? fmt::format("{}, line {}: ", at.file, at.line) : "", open_relay_text,
                                      is_default ? " (smtpd_relay_restrictions is empty by default where main.cf has no compatibility_level of 1 or more: "
                                                   "write compatibility_level = 3.6)"
                                                 : ""));
        }
    }

    void look_at(const std::string& name, const std::string& value, const config::Location& at, const std::string& where)
    {
        const Place place{name, at, where};
        const bool is_list = lists_.contains(name) || (name.starts_with("smtpd_") && name.ends_with("_restrictions"));
        if (!is_list && !holders_.contains(name)) return;
        std::vector<std::string_view> words = base::split_quoted_braces(value);
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (words[i].starts_with('#')) break;
            // "{ name argument }" is one restriction.
            if (is_list && words[i].starts_with('{') && words[i].ends_with('}') && words[i].size() > 2) {
                look_at(name, std::string(words[i].substr(1, words[i].size() - 2)), at, where);
                continue;
            }
            const Row* row = is_list ? find_row(words[i]) : nullptr;
            if (!row) {
                look_at_table(place, words[i]);
                continue;
            }
            if (row->support == CatalogueEntry::Support::not_yet) fatal(place, fmt::format("restriction {} is not supported", row->name));
            if (row->argument == Argument::none) continue;
            look_at_argument(place, *row, ++i < words.size() ? words[i] : std::string_view());
        }
    }

    void look_at_table(const Place& place, std::string_view word)
    {
        const std::string_view type = type_of(word);
        if (type.empty() || table::is_known_type(type)) return;
        const std::string_view nearest = nearest_type(type);
        fatal(place, fmt::format("unsupported dictionary type: {}{}", type, nearest.empty() ? "" : fmt::format(" (is {} meant?)", nearest)));
    }

    void look_at_argument(const Place& place, const Row& row, std::string_view argument)
    {
        if (row.argument == Argument::table) look_at_table(place, argument);
        if (row.argument == Argument::certificate_table) look_at_table(place, argument.starts_with('{') ? base::trim(argument.substr(1)) : argument);
        if (const std::string flaw = flaw_of(row, argument); !flaw.empty()) hint(place, flaw);
        if (row.argument != Argument::domain) return;
        if (const std::string_view advice = advice_about(argument); !advice.empty())
            hint(place, fmt::format("{} {}: {}", row.name, argument, advice));
    }

    const config::Settings& settings_;
    const bool wants_hints_;
    std::set<std::string, std::less<>> holders_, lists_;
    std::vector<config::Problem> problems_;
};

}  // namespace

std::vector<config::Problem> find_fatal_list_problems(const config::Settings& settings) { return Finder(settings, false).run(); }
std::vector<config::Problem> find_list_hints(const config::Settings& settings) { return Finder(settings, true).run(); }

}  // namespace ekiden::check
