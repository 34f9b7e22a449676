#include "deliver/smtp/options.hpp"

#include "base/text.hpp"
#include "config/runtime_defaults.hpp"
#include "rewrite/own_addresses.hpp"
#include "smtp/extensions.hpp"

namespace ekiden::deliver::smtp {

seconds TimeLimits::of(Step step) const
{
    switch (step) {
    case Step::greeting:
    case Step::ehlo:
    case Step::helo:
    case Step::lhlo:
    case Step::starttls:
    case Step::auth: return hello;
    case Step::rset: return reset;
    case Step::forward_address:
    case Step::forward_session: return forward;
    case Step::mail: return mail;
    case Step::rcpt: return rcpt;
    case Step::data: return data_init;
    case Step::content: return data_transfer;
    case Step::end_of_data: return data_done;
    case Step::quit: return quit;
    }
    return mail;
}

namespace {

std::optional<net::Address> bind_address(const config::Settings& settings, const std::string& name)
{
    const std::string text = settings.str(name);
    if (text.empty()) return std::nullopt;
    auto address = net::parse_address(text);
    if (!address) throw config::ConfigError("bad " + name + " parameter: " + text, settings.location(name));
    return address;
}

dns::FamilyPreference family_preference(const config::Settings& settings, const std::string& name)
{
    const std::string text = settings.str(name);
    if (text == "ipv4") return dns::FamilyPreference::ipv4;
    if (text == "ipv6") return dns::FamilyPreference::ipv6;
    if (text == "any") return dns::FamilyPreference::any;
    throw config::ConfigError("invalid " + name + " value: " + text, settings.location(name));
}

bool has_word(const std::vector<std::string>& words, std::string_view word)
{
    return std::ranges::any_of(words, [&](const std::string& w) { return base::equal_ignoring_case(w, word); });
}

}  // namespace

Options Options::from(const config::Settings& settings, const config::ServiceSpec& service)
{
    Options options;
    options.is_lmtp = service.command == "lmtp";
    const auto name = [&](std::string_view suffix) {
        return (options.is_lmtp ? "lmtp_" : "smtp_") + std::string(suffix);
    };
    const auto text = [&](std::string_view suffix) { return settings.str(name(suffix)); };
    const auto time = [&](std::string_view suffix) { return settings.time(name(suffix)); };
    const auto flag = [&](std::string_view suffix) { return settings.boolean(name(suffix)); };
    const auto number = [&](std::string_view suffix) { return settings.integer(name(suffix)); };

    options.log_tag = settings.str("syslog_name") + "/" + service.command;
    options.verbosity = service.verbosity;
    options.host_name = settings.str("myhostname");
    options.queue_directory = settings.str("queue_directory");

    HandshakeOptions& hello = options.handshake;
    hello.is_lmtp = options.is_lmtp;
    hello.own_name = text(options.is_lmtp ? "lhlo_name" : "helo_name");
    hello.softens_5xx_greeting = flag("skip_5xx_greeting");
    if (options.is_lmtp) {
        options.assumes_final = flag("assume_final");
    } else {
        hello.always_ehlo = flag("always_send_ehlo");
        hello.never_ehlo = flag("never_send_ehlo");
    }
    std::vector<std::string> unknown;
    bool is_silent = false;
    hello.ignored = ekiden::smtp::parse_extension_list(
        text(options.is_lmtp ? "discard_lhlo_keywords" : "discard_ehlo_keywords"), unknown, is_silent);
    options.told_ignored = is_silent ? 0 : hello.ignored;
    if (!settings.boolean("ekiden_smtp_chunking")) hello.ignored |= ekiden::smtp::ext_chunking;
    const std::string by_address =
        name(options.is_lmtp ? "discard_lhlo_keyword_address_maps" : "discard_ehlo_keyword_address_maps");
    options.reply_filter = table::Maps::open(name("reply_filter"), text("reply_filter"));
    options.dns_filter = table::Maps::open(name("dns_reply_filter"), text("dns_reply_filter"));
    options.workarounds = parse_workarounds(text("pix_workarounds"));
    options.workarounds_by_address = table::Maps::open(name("pix_workaround_maps"), text("pix_workaround_maps"));
    options.dot_delay = time("pix_workaround_delay_time");
    options.dot_delay_after = time("pix_workaround_threshold_time");
    options.ignored_keywords_by_address = table::Maps::open(by_address, settings.str(by_address));

    options.limits = {time("connect_timeout"),   time(options.is_lmtp ? "lhlo_timeout" : "helo_timeout"),
                      time("mail_timeout"),      time("rcpt_timeout"),
                      time("data_init_timeout"), time("data_xfer_timeout"),
                      time("data_done_timeout"), time("rset_timeout"),
                      time("quit_timeout"),      time("xforward_timeout")};

    if (flag("per_request_deadline")) options.min_data_rate = static_cast<std::uint64_t>(number("min_data_rate"));

    const auto protocols = config::parse_inet_protocols(settings.str("inet_protocols"));
    options.hosts.families = {protocols.ipv4, protocols.ipv6};
    options.hosts.preferred = family_preference(settings, name("address_preference"));
    options.hosts.is_shuffled = flag("randomize_addresses");
    options.hosts.ignores_mx_trouble = settings.boolean("ignore_mx_lookup_error");
    options.hosts.defers_without_address = flag("defer_if_no_mx_address_found");
    options.hosts.address_limit = static_cast<std::size_t>(number("mx_address_limit"));
    const bool uses_dns = !settings.boolean("disable_dns_lookups") && text("dns_support_level") != "disabled";
    const auto sources = settings.list(name("host_lookup"));
    const bool is_native = has_word(sources, "native"), is_dns = has_word(sources, "dns");
    options.hosts.uses_mx = uses_dns && !options.is_lmtp;
    options.hosts.address_source = !uses_dns || (is_native && !is_dns) ? dns::Source::hosts_and_dns
                                   : is_native                         ? dns::Source::dns_then_hosts
                                                                       : dns::Source::dns;
    options.hosts.is_balanced = flag("balance_inet_protocols");
    const auto own = rewrite::OwnAddresses::from(settings);
    options.is_own_address = [own](const net::Address& address) { return own.is_interface_or_proxy(address); };

    options.address_limit = static_cast<std::size_t>(number("mx_address_limit"));
    options.session_limit = static_cast<std::size_t>(number("mx_session_limit"));
    options.default_port = text("tcp_port");
    options.known_ports = settings.str("known_tcp_ports");
    options.bind_v4 = bind_address(settings, name("bind_address"));
    options.bind_v6 = bind_address(settings, name("bind_address6"));
    options.is_bind_enforced = flag("bind_address_enforce");
    if (!options.is_lmtp) options.best_mx_transport = settings.str("best_mx_transport");
    options.fallback_relays = settings.list(name("fallback_relay"));
    options.relay_host = settings.str("relayhost");
    options.line_length_limit = static_cast<std::size_t>(number("line_length_limit"));
    options.is_quoted = flag("quote_rfc821_envelope");
    options.forwards_client = flag("send_xforward_command");
    options.skips_quit_reply = flag("skip_quit_response");
    options.asks_at_data = base::equal_ignoring_case(text("address_verify_target"), "data");

    options.tls = tls::Client::make(tls::ClientOptions::from(settings, options.is_lmtp),
                                    Logger(options.log_tag, options.verbosity));
    options.plaintext_after = settings.time("minimal_backoff_time");
    options.login = LoginOptions::from(settings, options.is_lmtp);

    options.reuses_on_demand = flag("connection_cache_on_demand");
    options.reused_destinations = table::MatchList::open(
        name("connection_cache_destinations"), text("connection_cache_destinations"), table::MatchList::Kind::names);
    options.reuses_tls = flag("tls_connection_reuse") || !settings.is_set(name("tls_connection_reuse"));
    options.idle_limit = time("connection_cache_time_limit");
    options.reuse_time_limit = time("connection_reuse_time_limit");
    options.reuse_count_limit = static_cast<unsigned>(number("connection_reuse_count_limit"));
    return options;
}

}  // namespace ekiden::deliver::smtp
