// Domains that stand in two address classes, and an origin that nobody can answer to.
#include "base/text.hpp"
#include "config/lint_parts.hpp"
#include "config/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

namespace {

// Of two lists that both hold a domain, the first decides what becomes of its addresses.
struct Pair {
    std::string_view first, second;
};
constexpr std::array pairs{
    Pair{"mydestination", "virtual_alias_domains"},         Pair{"mydestination", "virtual_mailbox_domains"},
    Pair{"virtual_alias_domains", "virtual_mailbox_domains"}, Pair{"virtual_alias_domains", "relay_domains"},
    Pair{"virtual_mailbox_domains", "relay_domains"},
};

// The names that a list spells out; tables and files are asked elsewhere.
std::vector<std::string> names_in(const Settings& settings, std::string_view parameter)
{
    std::vector<std::string> names;
    for (const auto& word : settings.list(parameter)) {
        if (word.starts_with('#')) break;
        if (word.find_first_of(":/!{[") == std::string::npos) names.push_back(base::lower(word));
    }
    return names;
}

void find_doubles(const Settings& settings, Source& source, std::vector<Problem>& problems)
{
    for (const auto& pair : pairs) {
        const auto second = names_in(settings, pair.second);
        // virtual_alias_domains = $virtual_alias_maps is no list of names; relay_domains = $mydestination is usual.
        for (const auto& name : names_in(settings, pair.first)) {
            if (std::ranges::find(second, name) == second.end()) continue;
            const auto place = source.find(
                settings.location(settings.location(pair.second).line > 0 ? pair.second : pair.first), name);
            problems.push_back(
                make_problem(Problem::Level::warning, place,
                             fmt::format("do not list domain {} in BOTH {} and {}", name, pair.first, pair.second),
                             pair.second, fmt::format("{} decides, so remove it from one of them", pair.first)));
        }
    }
}

// Mail that leaves with such a domain cannot be answered, and most servers refuse it.
void check_origin(const Settings& settings, std::vector<Problem>& problems)
{
    const auto origin = settings.str("myorigin");
    const bool is_bare =
        origin.find('.') == std::string::npos || origin == "localhost.localdomain" || origin.ends_with(".localdomain");
    if (!is_bare || origin.empty()) return;
    // Where nothing but this machine is served, any name will do.
    const auto transport = settings.str("default_transport");
    if (transport.starts_with("error") || transport.starts_with("discard") || transport.starts_with("local")) return;
    const auto add = [&](std::string_view parameter, std::string_view what, std::string_view advice) {
        const auto at = settings.location(parameter);
        problems.push_back(make_problem(Problem::Level::warning,
                                        at.line > 0 ? at : Location{settings.directory() + "/main.cf", 0}, what,
                                        parameter, advice));
    };
    const auto hostname = settings.str("myhostname"), domain = settings.str("mydomain");
    if (settings.is_set("myorigin") && settings.location("myorigin").line > 0 && origin != hostname && origin != domain)
        return add("myorigin",
                   fmt::format("myorigin = {}: mail from here leaves as user@{}, to which nobody can answer",
                               settings.raw("myorigin"), origin),
                   "write a domain that the DNS knows");
    add("myhostname",
        fmt::format("myhostname is {} and mydomain is {}: mail from here leaves as user@{}, to which nobody can answer",
                    hostname, domain, origin),
        "write myhostname = NAME.DOMAIN, or mydomain = DOMAIN");
}

}  // namespace

std::vector<Problem> lint_domains(const Settings& settings)
{
    std::vector<Problem> problems;
    Source source;
    find_doubles(settings, source, problems);
    check_origin(settings, problems);
    return problems;
}

}  // namespace ekiden::config
