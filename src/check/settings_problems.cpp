#include "check/settings_problems.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "check/list_words.hpp"
#include "check/milters.hpp"
#include "check/policy.hpp"
#include "check/policy_protocol.hpp"
#include "check/rules.hpp"
#include "check/written_values.hpp"
#include "config/lint_parts.hpp"
#include "config/parameters.hpp"
#include "config/snapshot.hpp"
#include "config/source.hpp"
#include "net/endpoint.hpp"
#include "table/table.hpp"
#include "table/types.hpp"
#include "verify/journal.hpp"

#include <fmt/format.h>

#include <algorithm>

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
    if (type.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
        std::string_view::npos)
        return {};
    return type;
}

// Zones of old notes and manuals that are gone, or are not what they are taken for. Some named everybody before they went.
struct ClosedZone {
    std::string_view zone, fate;
    std::string_view advice = "remove it";
    bool holds_below = true;    // what stands below the name is closed too
};
constexpr ClosedZone closed_zones[] = {
    {"ahbl.org", "it ended in 2015 and listed everybody then"},
    {"bl.emailbasura.org", "it has ended, and the name lists everybody"},
    {"blackholes.intersil.net", "it ended in 2006"},
    {"blacklist.spambag.org", "it ended in 2007"},
    {"blitzed.org", "it ended in 2006"},
    {"dnsbl.inps.de", "it has ended"},
    {"dsbl.org", "it ended in 2008"},
    {"ix.dnsbl.manitu.net", "it ended in January 2025"},
    {"maps.vix.com", "it has ended"},
    {"megarbl.net", "it ended in 2019, and the name lists everybody"},
    {"njabl.org", "it ended in 2013"},
    {"orbs.org", "it has ended"},
    {"ordb.org", "it ended in 2006 and listed everybody later"},
    {"rfc-ignorant.org", "it ended in 2012"},
    {"sectoor.de", "it ended in 2018"},
    {"sorbs.net", "it ended in June 2024"},
    {"wirehub.net", "it has ended"},
    {"spamcop.net", "that is no list", "the list is bl.spamcop.net", false},
    {"cbl.abuseat.org", "it is part of another list", "use zen.spamhaus.org", false},
};

const ClosedZone* find_closed_zone(std::string_view zone)
{
    zone = zone.substr(0, zone.find_first_of("=*"));
    for (const ClosedZone& closed : closed_zones) {
        if (base::equal_ignoring_case(zone, closed.zone)) return &closed;
        if (!closed.holds_below || zone.size() <= closed.zone.size()) continue;
        const std::size_t head = zone.size() - closed.zone.size();
        if (zone[head - 1] == '.' && base::equal_ignoring_case(zone.substr(head), closed.zone)) return &closed;
    }
    return nullptr;
}

// What cannot be made of a restriction's argument, in the words of the run time, or "".
std::string flaw_of(const Row& row, std::string_view argument)
{
    const auto told = [](const auto& result) { return result ? std::string() : result.error().text(); };
    switch (row.argument) {
        case Argument::table:
            if (argument.find(':') == std::string_view::npos)
                return fmt::format("restriction {}: bad argument \"{}\": need maptype:mapname", row.name, argument);
            return {};
        case Argument::certificate_table: return told(parse_certificate_table(argument));
        case Argument::service: {
            const auto server = parse_policy_server(argument, {});
            if (!server) return server.error().text();
            // One word behind "inet:" is a port; an address there is none.
            const std::string_view place = server->endpoint;
            if (place.starts_with("inet:") && place.find(':', 5) == place.npos && place.find('.') != place.npos)
                return fmt::format("restriction {}: bad server \"{}\": need inet:host:port", row.name, place);
            return {};
        }
        case Argument::domain: {
            if (argument.empty()) return fmt::format("restriction {} requires domain name argument", row.name);
            // "reject_rbl_client, permit": commas part no more than blanks do.
            if (find_row(argument) != nullptr)
                return fmt::format("restriction {} requires domain name argument: \"{}\" is the next restriction",
                                   row.name, argument);
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

// Not so proxy_read_maps, which names what other parameters hold.
bool holds_tables_only(std::string_view name)
{
    return (name.ends_with("_maps") || name.ends_with("_checks")) && !name.starts_with("proxy_") &&
           config::find_parameter(name) != nullptr;
}

class Finder {
public:
    Finder(const config::Settings& settings, bool wants_hints)
        : settings_(settings), wants_hints_(wants_hints), lists_(settings)
    {
    }

    std::vector<config::Problem> run()
    {
        for (const auto& [name, value, at, is_override] : written_values(settings_))
            look_at({name, is_override ? "-o " + name : name, at}, value);
        if (!wants_hints_) look_for_open_relays();
        return std::move(problems_);
    }

private:
    struct Place {
        std::string name, shown;
        config::Location at;
    };

    // Three tables of one list that are of the same type, or five services with the same lists, are one problem.
    void add(config::Problem problem) { config::add_once(problems_, std::move(problem)); }
    void fatal(const Place& place, std::string_view word, std::string_view what)
    {
        if (!wants_hints_)
            add(config::make_problem(config::Problem::Level::fatal, source_.find(place.at, word),
                                     fmt::format("{}: {}", place.shown, what), place.name));
    }
    void hint(const Place& place, std::string_view word, std::string_view what, std::string_view advice = {})
    {
        if (wants_hints_)
            add(config::make_problem(config::Problem::Level::warning, source_.find(place.at, word),
                                     fmt::format("{}: {}", place.shown, what), place.name, advice));
    }

    // Lists that are empty because an old main.cf has no compatibility_level are the most frequent case, and the least obvious.
    void look_for_open_relays()
    {
        for (const auto& service : settings_.services()) {
            if (service.command != "smtpd") continue;
            const auto own = settings_.for_service(service);
            if (!is_open_relay(*own)) continue;
            const bool is_default =
                own->location("smtpd_relay_restrictions").line == 0 && own->str("smtpd_relay_restrictions").empty();
            const bool is_relay_list = own->location("smtpd_relay_restrictions").line > 0;
            const config::Location at =
                own->location(is_relay_list ? "smtpd_relay_restrictions" : "smtpd_recipient_restrictions");
            add(config::make_problem(
                config::Problem::Level::fatal, at.line > 0 ? at : config::Location{},
                fmt::format(
                    "{}{}", open_relay_text,
                    is_default
                        ? " (smtpd_relay_restrictions is empty by default where main.cf has no compatibility_level of 1 or more: "
                          "write compatibility_level = 3.6)"
                        : ""),
                "smtpd_relay_restrictions"));
        }
    }

    void look_at(const Place& place, const std::string& value)
    {
        if (place.name == "postscreen_dnsbl_sites") {
            for (const std::string_view word : base::split_any(value)) look_at_zone(place, {}, word);
            return;
        }
        if (place.name == "mynetworks" || place.name == "permit_mx_backup_networks" ||
            place.name.starts_with("smtpd_authorized_"))
            look_at_networks(place, value);
        if (holds_tables_only(place.name)) look_for_other_words(place, value);
        const bool is_list = lists_.is_restriction_list(place.name);
        if (!lists_.may_hold_tables(place.name)) return;
        std::vector<std::string_view> words = base::split_quoted_braces(value);
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (words[i].starts_with('#')) break;
            // "{ name argument }" is one restriction.
            if (is_list && words[i].starts_with('{') && words[i].ends_with('}') && words[i].size() > 2) {
                look_at(place, std::string(words[i].substr(1, words[i].size() - 2)));
                continue;
            }
            // A full-width space in front of a restriction is another message's; its argument is looked at all the same.
            const bool is_odd = is_list && config::has_odd_character(words[i]);
            const Row* row =
                is_list ? find_row(is_odd ? config::without_odd_ends(words[i]) : words[i]) : nullptr;
            if (!row) {
                look_at_table(place, words[i]);
                continue;
            }
            if (row->argument == Argument::none) continue;
            look_at_argument(place, *row, words[i], i + 1 < words.size() ? words[i + 1] : std::string_view());
            ++i;
        }
    }

    // A comment behind a table, most often. Each daemon of Postfix that opens the list dies of it.
    void look_for_other_words(const Place& place, std::string_view value)
    {
        for (const std::string_view word : base::split_quoted_braces(value)) {
            if (word.find(':') != word.npos) continue;
            fatal(place, word, fmt::format("open dictionary: expecting \"type:name\" form instead of \"{}\"", word));
            return;
        }
    }

    // "127.0.0.1/8": every client is told to try later, since nobody can say whether it is in that network.
    void look_at_networks(const Place& place, const std::string& value)
    {
        for (std::string_view word : base::split_any(value)) {
            if (word.starts_with('#')) return;
            while (word.starts_with('!')) word.remove_prefix(1);
            if (word.empty() || !(base::is_digit(word.front()) || word.front() == '[') || word.find('/') == word.npos)
                continue;
            if (const auto network = net::parse_network(word); !network) hint(place, word, network.error().text());
        }
    }

    void look_at_table(const Place& place, std::string_view word)
    {
        const std::string_view type = type_of(word);
        if (type.empty()) return;
        if (table::is_known_type(type)) {
            look_at_members(place, type, word.substr(word.find(type) + type.size() + 1));
            return;
        }
        const std::string text = table::unsupported_type(type);
        const std::string_view nearest = text.ends_with(')') ? std::string_view() : base::nearest(type, table::known_types(), 2);
        fatal(place, word, fmt::format("{}{}", text, nearest.empty() ? "" : fmt::format(" (is {} meant?)", nearest)));
    }

    // unionmap:{hash:/x, mysql:/y}: the tables that stand in the name of a table.
    void look_at_members(const Place& place, std::string_view type, std::string_view name)
    {
        if (type == "debug") return look_at_table(place, name);
        if ((type != "unionmap" && type != "pipemap") || name.size() < 2 || !name.starts_with('{') ||
            !name.ends_with('}'))
            return;
        for (std::string_view member : base::split_quoted_braces(name.substr(1, name.size() - 2))) {
            if (member.size() > 2 && member.starts_with('{') && member.ends_with('}'))
                member = base::trim(member.substr(1, member.size() - 2));
            look_at_table(place, member);
        }
    }

    void look_at_argument(const Place& place, const Row& row, std::string_view word, std::string_view argument)
    {
        if (row.argument == Argument::table) look_at_table(place, argument);
        if (row.argument == Argument::certificate_table)
            look_at_table(place, argument.starts_with('{') ? base::trim(argument.substr(1)) : argument);
        if (const std::string flaw = flaw_of(row, argument); !flaw.empty())
            hint(place, argument.empty() ? word : argument, flaw);
        if (row.argument == Argument::domain) look_at_zone(place, row.name, argument);
    }

    void look_at_zone(const Place& place, std::string_view restriction, std::string_view zone)
    {
        const ClosedZone* closed = find_closed_zone(zone);
        if (closed)
            hint(place, zone,
                 fmt::format("{}{}{}: {}", restriction, restriction.empty() ? "" : " ", zone, closed->fate),
                 closed->advice);
    }

    const config::Settings& settings_;
    const bool wants_hints_;
    const ListWords lists_;
    config::Source source_;
    std::vector<config::Problem> problems_;
};

// Postfix's smtpd ends at each connection. To go on would be worse: a class that says nothing lets everybody pass.
void add_undefined_classes(const config::Settings& settings, std::vector<config::Problem>& problems)
{
    constexpr const char* list = "smtpd_restriction_classes";
    for (const std::string& name : settings.list(list)) {
        const bool is_for_one_service =
            std::ranges::any_of(settings.services(), [&](const config::ServiceSpec& service) {
                return std::ranges::find(service.overrides, name, &std::pair<std::string, std::string>::first) !=
                       service.overrides.end();
            });
        if (is_for_one_service || !base::trim(settings.expand("$" + name)).empty()) continue;
        problems.push_back(config::make_problem(config::Problem::Level::fatal, settings.location(list),
                                                fmt::format("restriction class `{}' needs a definition", name), list,
                                                fmt::format("write {} = and its restrictions", name)));
    }
}

}  // namespace

std::vector<config::Problem> find_fatal_list_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems = Finder(settings, false).run();
    add_undefined_classes(settings, problems);
    std::ranges::move(find_milter_problems(settings), std::back_inserter(problems));
    constexpr const char* map = "address_verify_map";
    if (const auto path = verify::journal_path(settings.str(map)); !path) {
        problems.push_back(
            config::make_problem(config::Problem::Level::fatal, settings.location(map), path.error().text(), map));
    }
    return problems;
}
std::vector<config::Problem> find_list_hints(const config::Settings& settings) { return Finder(settings, true).run(); }

}  // namespace ekiden::check
