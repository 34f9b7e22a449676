#include "receive/options.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace ekiden::receive {

namespace {

smtp::BareNewline bare_newline_from(const std::string& value)
{
    if (value == "no") return smtp::BareNewline::accept;
    if (value == "yes" || value == "normalize") return smtp::BareNewline::normalize;
    if (value == "reject") return smtp::BareNewline::reject;
    if (value == "note") return smtp::BareNewline::note;
    throw config::ConfigError("invalid setting: 'smtpd_forbid_bare_newline = " + value + "'");
}

// What is demanded, taken, shown and said: yes or no.
void choose_manners(Options& o, const config::Settings& settings)
{
    o.requires_helo = settings.boolean("smtpd_helo_required");
    o.has_vrfy = !settings.boolean("disable_vrfy_command");
    o.is_strict = settings.boolean("strict_rfc821_envelopes");
    o.is_soft_bounce = settings.boolean("soft_bounce");
    o.looks_up_names = settings.boolean("smtpd_peername_lookup");
    o.forbids_bad_pipelining = settings.boolean("smtpd_forbid_unauth_pipelining");
    o.logs_port = settings.boolean("smtpd_client_port_logging");
    o.accepts_null_domain = settings.boolean("resolve_null_domain");
    o.accepts_numeric_domain = settings.boolean("resolve_numeric_domain");
    o.accepts_double_at = o.accepts_null_domain || !settings.boolean("resolve_dequoted_address");
    o.accepts_leading_dash = settings.boolean("allow_min_user");
    o.shows_login = settings.boolean("smtpd_sasl_authenticated_header");
    o.hides_client = settings.boolean("smtpd_hide_client_session");
    o.has_smtputf8 = settings.boolean("smtputf8_enable");
    o.is_strict_smtputf8 = settings.boolean("strict_smtputf8");
}

void choose_limits(decltype(Options::limits)& l, const config::Settings& settings, table::MatchList exceptions)
{
    l.connection_count = static_cast<int>(settings.integer("smtpd_client_connection_count_limit"));
    l.connection_rate = static_cast<int>(settings.integer("smtpd_client_connection_rate_limit"));
    l.message_rate = static_cast<int>(settings.integer("smtpd_client_message_rate_limit"));
    l.recipient_rate = static_cast<int>(settings.integer("smtpd_client_recipient_rate_limit"));
    l.auth_rate = static_cast<int>(settings.integer("smtpd_client_auth_rate_limit"));
    l.tls_session_rate = static_cast<int>(settings.integer("smtpd_client_new_tls_session_rate_limit"));
    // anvil is no process here; the -o entries of its line count all the same.
    const auto anvil = std::ranges::find(settings.services(), "anvil", &config::ServiceSpec::command);
    const config::SettingsPtr own =
        anvil == settings.services().end() || anvil->overrides.empty() ? nullptr : settings.for_service(*anvil);
    const config::Settings& rates = own ? *own : settings;
    l.rate_unit = rates.time("anvil_rate_time_unit");
    l.status_interval = rates.time("anvil_status_update_time");
    l.ipv4_prefix = static_cast<unsigned>(settings.integer("smtpd_client_ipv4_prefix_length"));
    l.ipv6_prefix = static_cast<unsigned>(settings.integer("smtpd_client_ipv6_prefix_length"));
    l.exceptions = std::move(exceptions);
}

}  // namespace

ReceiveOverrides ReceiveOverrides::from(const config::Settings& settings)
{
    ReceiveOverrides result;
    for (const auto& word : settings.list("receive_override_options")) {
        if (word == "no_address_mappings") result.maps_addresses = false;
        else if (word == "no_header_body_checks") result.checks_content = false;
        else if (word == "no_milters") result.asks_milters = false;
        else if (word != "no_unknown_recipient_checks")
            throw config::ConfigError("unknown receive_override_options value \"" + word + "\" in \"" +
                                          settings.str("receive_override_options") + "\"",
                                      settings.location("receive_override_options"));
    }
    return result;
}

Options Options::from(const config::Settings& settings, const config::ServiceSpec& spec)
{
    Options o;
    auto number = [&](const char* name) { return settings.integer(name); };
    o.logger =
        Logger(settings.str("syslog_name") + "/" + (spec.command.empty() ? "smtpd" : spec.command), spec.verbosity);
    const table::OpenOptions table_options{.log = o.logger};
    auto list = [&](const char* name) {
        return table::MatchList::open(name, settings.str(name), table::MatchList::Kind::host_and_address, false,
                                      table_options);
    };
    o.logs_dialogue = spec.verbosity > 0;
    o.debug_peers = list("debug_peer_list");
    o.service_name = spec.name;
    o.hostname = settings.str("myhostname");
    o.banner = settings.str("smtpd_banner");
    o.timeout = settings.time("smtpd_timeout");
    o.error_sleep_time = settings.time("smtpd_error_sleep_time");
    o.uses_request_deadline = settings.boolean("smtpd_per_request_deadline");
    o.minimum_data_rate = static_cast<std::uint64_t>(std::max<std::int64_t>(1, number("smtpd_min_data_rate")));
    o.line_limit = static_cast<std::size_t>(number("line_length_limit"));

    o.soft_error_limit = number("smtpd_soft_error_limit");
    o.hard_error_limit = number("smtpd_hard_error_limit");
    o.junk_command_limit = number("smtpd_junk_command_limit");
    o.recipient_limit = static_cast<std::size_t>(number("smtpd_recipient_limit"));
    o.recipient_overshoot_limit = static_cast<std::size_t>(number("smtpd_recipient_overshoot_limit"));
    o.message_size_limit = static_cast<std::uint64_t>(number("message_size_limit"));

    choose_manners(o, settings);
    const auto overrides = ReceiveOverrides::from(settings);
    o.maps_addresses = overrides.maps_addresses;
    o.checks_content = overrides.checks_content;
    if (overrides.asks_milters) o.milters = check::MilterService::from(settings, spec, table_options);

    o.bare_newline = bare_newline_from(settings.str("smtpd_forbid_bare_newline"));
    o.bare_newline_exclusions = list("smtpd_forbid_bare_newline_exclusions");
    o.bare_newline_code = static_cast<int>(number("smtpd_forbid_bare_newline_reject_code"));

    std::vector<std::string> unknown;
    o.discarded = smtp::parse_extension_list(settings.str("smtpd_discard_ehlo_keywords"), unknown, o.discards_silently);
    for (const auto& word : unknown)
        o.logger.warning("smtpd_discard_ehlo_keywords: unknown EHLO keyword: \"{}\"", word);
    o.discard_maps = table::Maps::open("smtpd_discard_ehlo_keyword_address_maps",
                                       settings.str("smtpd_discard_ehlo_keyword_address_maps"), table_options);

    o.command_filter = table::Maps::open("smtpd_command_filter", settings.str("smtpd_command_filter"), table_options);
    o.forbidden_commands = list("smtpd_forbidden_commands");
    o.noop_commands = list("smtpd_noop_commands");
    o.xclient_hosts = list("smtpd_authorized_xclient_hosts");
    o.xforward_hosts = list("smtpd_authorized_xforward_hosts");
    o.verp_clients = list("smtpd_authorized_verp_clients");
    o.verp_delimiters = settings.str("default_verp_delimiters");
    o.verp_filter = settings.str("verp_delimiter_filter");
    if (const auto protocol = settings.str("smtpd_upstream_proxy_protocol"); protocol == "haproxy")
        o.reads_proxy_header = true;
    else if (!protocol.empty())
        throw config::ConfigError("unsupported smtpd_upstream_proxy_protocol value: " + protocol,
                                  settings.location("smtpd_upstream_proxy_protocol"));
    o.proxy_timeout = settings.time("smtpd_upstream_proxy_timeout");
    o.reported_troubles = trouble_classes(settings.list("notify_classes"));
    o.history_limit = static_cast<std::size_t>(number("smtpd_history_flush_threshold"));
    o.fast_flush_domains = list("fast_flush_domains");
    std::vector<std::string> problems;
    o.local_clients = LocalClients::from(settings, problems);
    for (const auto& problem : problems) o.logger.warning("{}", problem);

    o.logins = LoginOptions::from(settings, table_options);

    choose_limits(o.limits, settings, list("smtpd_client_event_limit_exceptions"));

    // In Postfix a process is a session, and "-" means a hundred. Here a session costs little, so the limit holds only
    // where somebody wrote it down.
    if (spec.max_processes != "-" || settings.is_set("default_process_limit")) {
        o.process_limit = spec.process_limit(static_cast<int>(number("default_process_limit")));
    }
    o.tls = tls::ServerOptions::from(settings, table_options);
    o.ehlo_reply = o.make_ehlo_reply(o.offered(o.discarded));
    return o;
}

smtp::Extensions Options::offered(smtp::Extensions without) const
{
    using namespace smtp;
    Extensions offer =
        ext_pipelining | ext_size | ext_etrn | ext_enhanced_status | ext_8bitmime | ext_dsn | ext_chunking;
    if (has_vrfy) offer |= ext_vrfy;
    if (has_smtputf8) offer |= ext_smtputf8;
    if (tls.is_used() && !tls.is_wrapped) offer |= ext_starttls;
    return offer & ~without;
}

std::string Options::make_ehlo_reply(smtp::Extensions offer, std::string_view mechanisms) const
{
    using namespace smtp;
    std::string reply = "250-" + hostname + "\r\n";
    reply.reserve(512);
    std::size_t last = 0;    // where the last line begins
    auto add = [&](Extension bit, std::string_view keyword, std::string_view value = {}) {
        if (!(offer & bit)) return;
        last = reply.size();
        for (const std::string_view piece : {std::string_view("250-"), keyword, value, std::string_view("\r\n")})
            reply += piece;
    };
    // Postfix's order, which clients and tests have come to know.
    add(ext_pipelining, "PIPELINING");
    add(ext_size, "SIZE", message_size_limit > 0 ? " " + std::to_string(message_size_limit) : "");
    add(ext_vrfy, "VRFY");
    add(ext_etrn, "ETRN");
    add(ext_starttls, "STARTTLS");
    add(ext_auth, "AUTH ", mechanisms);
    if (logins.has_old_spelling) add(ext_auth, "AUTH=", mechanisms);
    add(ext_xclient, "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT");
    add(ext_xforward, "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT");
    add(ext_xverp, "XVERP");
    add(ext_enhanced_status, "ENHANCEDSTATUSCODES");
    add(ext_8bitmime, "8BITMIME");
    add(ext_dsn, "DSN");
    add(ext_smtputf8, "SMTPUTF8");
    add(ext_chunking, "CHUNKING");
    reply[last + 3] = ' ';
    return reply;
}

}  // namespace ekiden::receive
