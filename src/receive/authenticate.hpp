// AUTH (RFC 4954) as smtpd(8) offers it: the settings, and which backend they name. Who decides about a login is in
// sasl/backend.hpp; the dialogue with the client is in authenticate.cpp, as handlers of Session; whether it must wait
// for TLS is tls::ServerOptions::auth_needs_tls. Values, any thread; find_login_problems() reads files and may block.
#pragma once

#include "base/log.hpp"
#include "config/settings.hpp"
#include "net/blocking.hpp"
#include "sasl/backend.hpp"
#include "smtp/command.hpp"
#include "table/match_list.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::receive {

struct LoginOptions {
    bool is_enabled = false;
    bool has_old_spelling = false;          // broken_sasl_auth_clients: "AUTH=PLAIN LOGIN" as well
    sasl::Properties security = sasl::anonymous, tls_security = sasl::anonymous;
    std::string realm, service;             // smtpd_sasl_local_domain, smtpd_sasl_service
    std::size_t response_limit = 12288;     // a response must be shorter
    table::MatchList hidden_from;           // smtpd_sasl_exceptions_networks
    table::MatchList mechanism_filter;

    // Throws config::ConfigError for security options that do not exist.
    static LoginOptions from(const config::Settings& settings, const table::OpenOptions& tables);
};

// The backend that the service's settings name; null: no logins. `pool` outlives it. Throws config::ConfigError.
sasl::BackendPtr make_logins(const config::Settings& settings, const config::ServiceSpec& service,
                             net::BlockingPool* pool, const Logger& log);

// What is wrong with the login settings of every smtpd service, with file and line: for `postfix check`, start and
// reload.
std::vector<config::Problem> find_login_problems(const config::Settings& settings);

// What may be shown of a command line: of AUTH only the mechanism. A view into `line`.
std::string_view without_response(std::string_view line);
// Of several lines: up to the first login; what follows that may be one.
std::string without_responses(std::string_view lines);

}  // namespace ekiden::receive
