#include "check/relay_networks.hpp"

#include "base/text.hpp"
#include "net/endpoint.hpp"
#include "table/source_lines.hpp"
#include "table/table.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace ekiden::check {

namespace {

constexpr unsigned shortest_own_ipv4 = 16, shortest_own_ipv6 = 32;

// Networks that nobody routes across the internet.
constexpr std::array<std::string_view, 9> private_networks{"127.0.0.0/8",    "10.0.0.0/8",     "172.16.0.0/12",
                                                           "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
                                                           "::1/128",        "fc00::/7",       "fe80::/10"};

std::optional<net::Network> as_network(std::string_view text)
{
    auto network = net::parse_network(text);
    if (!network) return std::nullopt;
    return *network;
}

bool is_private(const net::Network& network)
{
    return std::ranges::any_of(private_networks, [&](std::string_view text) {
        const auto known = net::parse_network(text);
        return known && known->base.is_v4() == network.base.is_v4() && known->prefix <= network.prefix &&
               known->contains(network.base);
    });
}

// Half of all addresses is everybody: 0.0.0.0/1 and 128.0.0.0/1 stand together.
bool is_everybody(const net::Network& network) { return network.prefix <= 1; }
bool is_wide(const net::Network& network)
{
    return network.prefix < (network.base.is_v4() ? shortest_own_ipv4 : shortest_own_ipv6) && !is_private(network);
}

// Items of a list, those of files and text tables included, each once; `unknown` receives tables that cannot be read here.
void collect(std::string_view value, std::vector<std::string>& items, std::string& unknown, int depth = 0)
{
    constexpr int deepest = 8;
    constexpr std::size_t most = 100'000;
    for (const std::string_view word : base::split_any(value)) {
        if (word.starts_with('#') || items.size() > most) return;
        if (word.starts_with('!')) continue;     // takes away, never adds
        if (as_network(word) || word.find_first_of(":/") == word.npos || word.starts_with('[')) {
            items.emplace_back(word);
            continue;
        }
        std::string_view spec = word;
        while (spec.starts_with("proxy:")) spec.remove_prefix(6);
        const std::string_view type = spec.starts_with('/') ? std::string_view("file") : spec.substr(0, spec.find(':'));
        // A network that cannot be read matches nobody.
        if (type != "file" && (spec.find(':') == spec.npos || !table::is_known_type(type))) continue;
        static constexpr std::array<std::string_view, 7> readable{"file", "hash",     "btree", "lmdb",
                                                                  "cdb",  "texthash", "cidr"};
        const std::string path(type == "file" ? spec : spec.substr(std::min(spec.size(), type.size() + 1)));
        const auto source = std::ranges::find(readable, type) != readable.end() && depth < deepest
                                ? table::read_source(path)
                                : Result<table::SourceText>(std::unexpected(Error(ErrorCode::refused, "")));
        if (!source) {
            if (unknown.empty()) unknown = word;
            continue;
        }
        table::SourceLines lines(source->text, path, [](const std::string&) {});
        table::SourceLines::Line line;
        while (lines.next(line) && items.size() <= most) {
            const std::string_view text = base::trim(line.text);
            if (type == "file") collect(text, items, unknown, depth + 1);
            else if (!text.starts_with('!')) items.emplace_back(text.substr(0, text.find_first_of(" \t")));
        }
    }
}

}  // namespace

bool is_wide_network(std::string_view text)
{
    const auto network = as_network(text);
    return network && is_wide(*network);
}

std::string find_wide_network(const config::Settings& settings, std::string_view parameter)
{
    std::vector<std::string> items;
    std::string unknown;
    collect(settings.str(parameter), items, unknown);
    const auto found = std::ranges::find_if(items, is_wide_network);
    return found == items.end() ? std::string() : *found;
}

RelayNetworks read_relay_networks(const config::Settings& settings, config::Source& source)
{
    RelayNetworks result;
    const bool is_listed = settings.location("mynetworks").line > 0 || settings.is_set("mynetworks");
    result.parameter = is_listed ? "mynetworks" : "mynetworks_style";
    const config::Location at = settings.location(result.parameter);
    std::vector<std::string> items;
    collect(settings.str("mynetworks"), items, result.unknown_table);
    for (const std::string& item : items) {
        if (result.shown.size() < 200) result.shown += (result.shown.empty() ? "" : " ") + item;
        const auto network = as_network(item);
        if (network && is_everybody(*network) && result.everybody.empty()) {
            result.everybody = item;
            result.everybody_at = source.find(at, item);
        } else if (network && is_wide(*network) && result.wide.empty()) {
            result.wide = item;
            result.wide_at = source.find(at, item);
        } else if (!network && item == "static:all") {
            result.everybody = item;
        }
    }
    if (result.unknown_table.starts_with("static:")) {
        result.everybody = result.unknown_table;
        result.everybody_at = at;
        result.unknown_table.clear();
    }
    if (result.shown.empty()) result.shown = result.unknown_table.empty() ? "nobody" : result.unknown_table;
    result.relays_to_others = settings.str("relay_domains");
    return result;
}

std::pair<std::string, std::string> find_wide_destination(const config::Settings& settings)
{
    static constexpr std::array<std::string_view, 3> strangers{"stranger.example", "mail.stranger.example",
                                                               "elsewhere.example.net"};
    static constexpr std::array<std::string_view, 4> local_types{"static", "regexp", "pcre", "inline"};
    for (const std::string_view parameter :
         {"mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains"}) {
        for (const std::string& word : settings.list(parameter)) {
            if (word.starts_with('#')) break;
            const std::string_view type = std::string_view(word).substr(0, word.find(':'));
            if (word.starts_with('!') || std::ranges::find(local_types, type) == local_types.end()) continue;
            // virtual_alias_domains = $virtual_alias_maps: a catch-all pattern of addresses matches names of domains as well,
            // but what it rewrites is delivered where it says.
            if (parameter == "virtual_alias_domains" && !settings.is_set(parameter)) continue;
            const auto opened = table::open_table(word);
            if (!opened) continue;
            const bool matches = std::ranges::all_of(strangers, [&](std::string_view name) {
                const auto answer = (*opened)->lookup(name);
                return answer && answer->has_value();
            });
            if (matches) return {std::string(parameter), word};
        }
    }
    return {};
}

}  // namespace ekiden::check
