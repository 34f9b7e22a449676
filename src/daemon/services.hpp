// master.cf lines → what we run. One table says which program names mean what here; everything Postfix runs as a daemon
// of its own and Ekiden does inside keeps its line and its name in the log.
#pragma once

#include "config/settings.hpp"
#include "net/endpoint.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::daemon {

enum class Role : std::uint8_t {
    smtp_server,   // smtpd: listens
    transport,     // smtp, lmtp, local, virtual, pipe, error, discard: agents
    spawner,       // spawn: listens, and runs a command for each connection
    inside,        // cleanup, qmgr, bounce, …: part of the engine
    not_yet,       // known to Postfix, not to this release: refused with file and line
    unknown,
};
Role role_of(std::string_view program);

// The endpoints on which one inet service listens: "host:port", "port" with inet_interfaces and inet_protocols.
// Throws config::ConfigError with Postfix's words.
std::vector<net::Endpoint> endpoints_of(const config::Settings& settings, const config::ServiceSpec& service);

// What cannot run, each with file and line: unknown programs, inet services that are not smtpd.
std::vector<config::Problem> find_service_problems(const config::Settings& settings);

}  // namespace ekiden::daemon
