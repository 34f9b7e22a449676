// The rooms of posttls-finger: what the command line asks for, and the conversation with the server.
#pragma once

#include "config/settings.hpp"
#include "dns/mx.hpp"
#include "net/endpoint.hpp"
#include "tls/client_options.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace ekiden::tools::finger {

// What is told of TLS (-L).
struct Told {
    bool summary = true, certificate_match = true, peer_certificate = false, cache = false, steps = false;
};

struct Destination {
    std::string text;              // as it was given: "[mail.example.com]:587"
    std::string host;              // or the path of a socket
    std::uint16_t port = 25;
    bool is_unix = false, uses_mx = true;
};

struct Options {
    Destination destination;
    std::vector<std::string> match;
    tls::Level level = tls::Level::secure;
    bool is_lmtp = false, is_wrapped = false, shows_chain = false, shows_chat = true, is_verbose = false;
    Told told;
    dns::FamilyPreference family = dns::FamilyPreference::any;
    bool uses_hosts_file = false;  // -h native
    std::chrono::seconds connect_limit{30}, command_limit{30};
    int reconnect_delay = -1;      // seconds; -1: once is enough
    int most_reconnects = 5;
    std::string hello, own_name;
    dns::AddressFamilies families;
    std::string dns_server;
    tls::ClientOptions tls;
};

// Ends the program on nonsense, with the reason.
Options parse_options(int argc, char** argv);

// 0, or 1 when no server could be reached or no TLS was agreed on.
int probe(const Options& options);

}  // namespace ekiden::tools::finger
