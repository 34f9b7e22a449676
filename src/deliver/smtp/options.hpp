// What smtp(8) and lmtp(8) parameters say, read once per settings snapshot and service. The same names serve both
// programs with the prefix `smtp_` or `lmtp_`. Thread: immutable.
#pragma once

#include "config/settings.hpp"
#include "deliver/smtp/handshake.hpp"
#include "deliver/smtp/login.hpp"
#include "dns/mx.hpp"
#include "net/blocking.hpp"
#include "net/endpoint.hpp"
#include "rewrite/outgoing.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"
#include "tls/client.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::deliver::smtp {

using std::chrono::seconds;

struct TimeLimits {
    seconds connect, hello, mail, rcpt, data_init, data_transfer, data_done, reset, quit;
    seconds forward{300};
    seconds of(Step step) const;
};

struct Options {
    bool is_lmtp = false;
    std::string log_tag;                  // "postfix/smtp", "postfix/relay/smtp"
    int verbosity = 0;
    std::string host_name;                // $myhostname, for the label of Unix sockets
    std::string queue_directory;          // where relative Unix sockets are
    HandshakeOptions handshake;
    TimeLimits limits{};
    std::uint64_t min_data_rate = 0;      // smtp_min_data_rate, bytes a second; 0 without smtp_per_request_deadline
    dns::MailHostOptions hosts;           // without the loop check, which depends on the port
    std::function<bool(const net::Address&)> is_own_address;
    std::size_t address_limit = 5, session_limit = 2;    // 0 = none
    std::string default_port;             // smtp_tcp_port: name or number
    std::string known_ports;
    std::optional<net::Address> bind_v4, bind_v6;
    bool is_bind_enforced = false;        // smtp_bind_address_enforce
    std::vector<std::string> fallback_relays;
    std::string relay_host;               // relayhost, to know it among the next hops
    std::string best_mx_transport;        // for mail that would come back to us; "" = that is an error
    std::size_t line_length_limit = 998;
    bool is_quoted = true;                // smtp_quote_rfc821_envelope
    bool forwards_client = false;         // smtp_send_xforward_command
    bool skips_quit_reply = true;
    bool asks_at_data = false;            // smtp_address_verify_target = data
    bool assumes_final = false;           // lmtp_assume_final: a peer without DSN delivers, it does not relay
    table::Maps reply_filter;             // smtp_reply_filter
    table::Maps dns_filter;               // smtp_dns_reply_filter
    Workarounds workarounds;              // smtp_pix_workarounds
    table::Maps workarounds_by_address;   // smtp_pix_workaround_maps
    seconds dot_delay{10}, dot_delay_after{500};   // smtp_pix_workaround_delay_time, smtp_pix_workaround_threshold_time
    ekiden::smtp::Extensions told_ignored = 0;   // keywords of the EHLO reply that the log says are not used
    table::Maps ignored_keywords_by_address;   // smtp_discard_ehlo_keyword_address_maps

    tls::ClientPtr tls;                   // null: built without settings (tests)
    seconds plaintext_after{300};         // minimal_backoff_time: younger messages wait when opportunistic TLS fails
    rewrite::Outgoing outgoing;           // smtp_generic_maps, smtp_header_checks …, 8-bit conversion; set by the agent
    LoginOptions login;
    net::BlockingPool* pool = nullptr;    // for steps of a login that block or compute

    bool reuses_on_demand = true;         // smtp_connection_cache_on_demand
    table::MatchList reused_destinations; // smtp_connection_cache_destinations
    seconds idle_limit{2}, reuse_time_limit{300};
    unsigned reuse_count_limit = 0;       // 0 = none
    bool reuses_tls = true;               // only smtp_tls_connection_reuse = no, written by somebody, says otherwise

    // Throws config::ConfigError.
    static Options from(const config::Settings& settings, const config::ServiceSpec& service);
};

}  // namespace ekiden::deliver::smtp
