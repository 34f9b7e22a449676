// From a next hop to what can be connected to: "host", "host:port", "[host]:port", "inet:…", "unix:/path", a list of
// these, and smtp_fallback_relay behind them. Pure, except find_candidates().
#pragma once

#include "deliver/smtp/options.hpp"
#include "dns/mx.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::deliver::smtp {

struct Destination {
    std::string host;          // or the path of a Unix socket
    std::string port;          // as written; empty = default
    bool is_unix = false;
    bool uses_mx = false;
    std::string_view
        setting;  // the one that names it, "relayhost" or "smtp_fallback_relay"; empty: the mail's own domain, a table
    std::string text;          // as written, lower case: the name under which connections are kept
    std::string key;  // as written, without "inet:" or "unix:": what tables of logins and policies are asked for
};
// The next hop's destinations, then the fall-back relays. Items that make no sense are in `problem` (the last of them).
std::vector<Destination> parse_destinations(std::string_view next_hop, const Options& options, std::string& problem);

// One thing to connect to.
struct Candidate {
    std::string host;          // "mx.remote.test"; $myhostname for a Unix socket
    net::Endpoint endpoint;    // when not a Unix socket
    std::string path;          // of a Unix socket
    std::string peer() const;  // "mx.remote.test[127.0.0.25]"
    std::string relay() const; // with ":port"; Unix sockets have none
};
struct Candidates {
    std::vector<Candidate> list;
    std::optional<Fate> failure;   // when the list is empty
    bool is_ours = false;  // this host is one of them: nobody who comes later may be tried, mail would go in circles
    std::vector<std::string> warnings;
};
Task<Candidates> find_candidates(dns::Resolver& resolver, Destination destination, const Options& options);

}  // namespace ekiden::deliver::smtp
