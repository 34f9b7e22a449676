// What one smtpd service needs to know from the settings, typed and ready, made once per snapshot; and the service's
// other collaborators of that snapshot. A session holds the Service it began with until it ends. Immutable, any core.
#pragma once

#include "base/log.hpp"
#include "check/milters.hpp"
#include "check/policy.hpp"
#include "config/settings.hpp"
#include "receive/authenticate.hpp"
#include "receive/complaint.hpp"
#include "dns/resolver.hpp"
#include "net/task.hpp"
#include "receive/local_clients.hpp"
#include "rewrite/intake.hpp"
#include "smtp/dot_stream.hpp"
#include "smtp/extensions.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"
#include "tls/server.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace ekiden::receive {

// receive_override_options, of smtpd and pickup; no_unknown_recipient_checks is read by check::Options.
struct ReceiveOverrides {
    bool maps_addresses = true, checks_content = true, asks_milters = true;
    // Throws config::ConfigError with Postfix's text for a word that does not exist.
    static ReceiveOverrides from(const config::Settings& settings);
};

struct Options {
    // Throws config::ConfigError where smtpd would die ("bad string length", unknown keyword…).
    static Options from(const config::Settings& settings, const config::ServiceSpec& spec);

    Logger logger;                          // "postfix/smtpd", or as syslog_name says
    bool logs_dialogue = false;             // smtpd -v: every command and reply, but no password
    table::MatchList debug_peers;           // for these only
    std::string service_name;               // first column of master.cf
    std::string hostname, banner;
    std::chrono::seconds timeout{300}, error_sleep_time{1};
    bool uses_request_deadline = false;     // smtpd_per_request_deadline
    std::uint64_t minimum_data_rate = 500;  // bytes/s that prolong such a deadline
    std::size_t line_limit = 2048;

    std::int64_t soft_error_limit = 10, hard_error_limit = 20, junk_command_limit = 100;
    std::size_t recipient_limit = 1000, recipient_overshoot_limit = 1000;
    std::uint64_t message_size_limit = 0;   // bytes, 0 = none

    bool requires_helo = false, has_vrfy = true, is_strict = false, is_soft_bounce = false;
    bool looks_up_names = true, forbids_bad_pipelining = true, logs_port = false;
    bool accepts_null_domain = false, accepts_numeric_domain = false, accepts_leading_dash = false,
         accepts_double_at = false;
    bool shows_login = false;               // smtpd_sasl_authenticated_header
    bool hides_client = false;              // smtpd_hide_client_session
    bool has_smtputf8 = true, is_strict_smtputf8 = false;
    bool maps_addresses = true, checks_content = true;    // receive_override_options

    smtp::BareNewline bare_newline = smtp::BareNewline::normalize;
    table::MatchList bare_newline_exclusions;
    int bare_newline_code = 550;

    smtp::Extensions discarded = 0;         // smtpd_discard_ehlo_keywords
    bool discards_silently = false;
    table::Maps discard_maps;

    table::MatchList forbidden_commands, noop_commands;
    table::Maps command_filter;             // smtpd_command_filter
    table::MatchList xclient_hosts, xforward_hosts;
    table::MatchList verp_clients;          // smtpd_authorized_verp_clients
    std::string verp_delimiters, verp_filter;
    bool reads_proxy_header = false;        // smtpd_upstream_proxy_protocol = haproxy
    std::chrono::seconds proxy_timeout{5};
    table::MatchList fast_flush_domains;
    LocalClients local_clients;             // local_header_rewrite_clients

    struct ClientLimits {
        int connection_count = 50, connection_rate = 0, message_rate = 0, recipient_rate = 0, auth_rate = 0,
            tls_session_rate = 0;  // 0 = no limit
        bool has_any() const
        {
            return connection_count > 0 || connection_rate > 0 || message_rate > 0 || recipient_rate > 0 ||
                   auth_rate > 0 || tls_session_rate > 0;
        }
        std::chrono::seconds rate_unit{60}, status_interval{600};    // anvil_rate_time_unit, anvil_status_update_time
        unsigned ipv4_prefix = 32, ipv6_prefix = 84;
        table::MatchList exceptions;
    } limits;
    LoginOptions logins;
    std::shared_ptr<const check::MilterService> milters;    // null: no client has any
    std::uint8_t reported_troubles = 0;     // notify_classes, as TroubleClass bits
    std::size_t history_limit = 100;        // lines of transcript kept from one message to the next
    int process_limit = 0;                  // sessions at a time, from maxproc; 0 = no limit

    tls::ServerOptions tls;

    std::string ehlo_reply;                 // for clients without a row in discard_maps
    smtp::Extensions offered(smtp::Extensions without = 0) const;
    // `mechanisms`: what stands behind AUTH, where that is offered.
    std::string make_ehlo_reply(smtp::Extensions offer, std::string_view mechanisms = {}) const;
};

struct Service {
    Options options;
    std::shared_ptr<const check::Policy> policy;
    tls::ServerPtr tls;                     // certificates in force
    std::shared_ptr<const rewrite::Intake> intake;
    dns::Resolver* resolver = nullptr;
    sasl::BackendPtr logins;                // null: nobody can log in
    // ETRN: ask for delivery of what waits for `domain`. Called on the session's core; must not block. May be empty.
    std::function<void(const std::string& domain)> flush;
    // Writes to the postmaster; returns when the letter is queued or given up. May be empty.
    std::function<Task<void>(Complaint complaint)> complain;
};
using ServicePtr = std::shared_ptr<const Service>;

}  // namespace ekiden::receive
