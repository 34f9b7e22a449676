// Which networks and destinations a configuration takes for its own, looked at by their size: for the proof that a server
// is no open relay. Reads the lists themselves and tables that are text; asks nobody. Thread: any.
#pragma once

#include "config/settings.hpp"
#include "config/source.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace ekiden::check {

struct RelayNetworks {
    std::string parameter;        // "mynetworks", or "mynetworks_style" where that decides
    std::string shown;            // the networks as they are written
    std::string everybody;        // the item that matches every address, or ""
    config::Location everybody_at;
    std::string wide;             // an item larger than a site's own network, or ""
    config::Location wide_at;
    std::string unknown_table;    // networks that another program knows
    std::string relays_to_others; // relay_domains, where it names any
};
RelayNetworks read_relay_networks(const config::Settings& settings, config::Source& source);

// A network of public addresses that no single site has: shorter than /16, or than /32 of IPv6.
bool is_wide_network(std::string_view text);
// The first such item of a list of networks, or "".
std::string find_wide_network(const config::Settings& settings, std::string_view parameter);

// The parameter and the item of mydestination, relay_domains and the virtual domains that matches domains of strangers.
std::pair<std::string, std::string> find_wide_destination(const config::Settings& settings);

}  // namespace ekiden::check
