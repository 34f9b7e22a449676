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

// The parameters of smtp(8), or those of lmtp(8), by what follows the prefix.
class Parameters {
public:
    Parameters(const config::Settings& settings, bool is_lmtp)
        : settings_(settings), prefix_(is_lmtp ? "lmtp_" : "smtp_")
    {
    }
    std::string name(std::string_view suffix) const { return prefix_ + std::string(suffix); }
    std::string text(std::string_view suffix) const { return settings_.str(name(suffix)); }
    auto time(std::string_view suffix) const { return settings_.time(name(suffix)); }
    bool flag(std::string_view suffix) const { return settings_.boolean(name(suffix)); }
    auto number(std::string_view suffix) const { return settings_.integer(name(suffix)); }

private:
    const config::Settings& settings_;
    std::string prefix_;
};

// What is said to servers first, and what is made of their answers.
void choose_handshake(Options& options, const config::Settings& settings, const Parameters& of)
{
    HandshakeOptions& hello = options.handshake;
    hello.is_lmtp = options.is_lmtp;
    hello.own_name = of.text(options.is_lmtp ? "lhlo_name" : "helo_name");
    hello.softens_5xx_greeting = of.flag("skip_5xx_greeting");
    if (options.is_lmtp) {
        options.assumes_final = of.flag("assume_final");
    } else {
        hello.always_ehlo = of.flag("always_send_ehlo");
        hello.never_ehlo = of.flag("never_send_ehlo");
    }
    std::vector<std::string> unknown;
    bool is_silent = false;
    hello.ignored = ekiden::smtp::parse_extension_list(
        of.text(options.is_lmtp ? "discard_lhlo_keywords" : "discard_ehlo_keywords"), unknown, is_silent);
    options.told_ignored = is_silent ? 0 : hello.ignored;
    if (!settings.boolean("ekiden_smtp_chunking")) hello.ignored |= ekiden::smtp::ext_chunking;
    const std::string by_address =
        of.name(options.is_lmtp ? "discard_lhlo_keyword_address_maps" : "discard_ehlo_keyword_address_maps");
    options.reply_filter = table::Maps::open(of.name("reply_filter"), of.text("reply_filter"));
    options.dns_filter = table::Maps::open(of.name("dns_reply_filter"), of.text("dns_reply_filter"));
    options.workarounds = parse_workarounds(of.text("pix_workarounds"));
    options.workarounds_by_address = table::Maps::open(of.name("pix_workaround_maps"), of.text("pix_workaround_maps"));
    options.dot_delay = of.time("pix_workaround_delay_time");
    options.dot_delay_after = of.time("pix_workaround_threshold_time");
    options.ignored_keywords_by_address = table::Maps::open(by_address, settings.str(by_address));
}

// Which addresses of a destination are tried, and in which order.
void choose_hosts(Options& options, const config::Settings& settings, const Parameters& of)
{
    const auto protocols = config::parse_inet_protocols(settings.str("inet_protocols"));
    options.hosts.families = {protocols.ipv4, protocols.ipv6};
    options.hosts.preferred = family_preference(settings, of.name("address_preference"));
    options.hosts.is_shuffled = of.flag("randomize_addresses");
    options.hosts.ignores_mx_trouble = settings.boolean("ignore_mx_lookup_error");
    options.hosts.defers_without_address = of.flag("defer_if_no_mx_address_found");
    options.hosts.address_limit = static_cast<std::size_t>(of.number("mx_address_limit"));
    const bool uses_dns = !settings.boolean("disable_dns_lookups") && of.text("dns_support_level") != "disabled";
    const auto sources = settings.list(of.name("host_lookup"));
    const bool is_native = has_word(sources, "native"), is_dns = has_word(sources, "dns");
    options.hosts.uses_mx = uses_dns && !options.is_lmtp;
    options.hosts.address_source = !uses_dns || (is_native && !is_dns) ? dns::Source::hosts_and_dns
                                   : is_native                         ? dns::Source::dns_then_hosts
                                                                       : dns::Source::dns;
    options.hosts.is_balanced = of.flag("balance_inet_protocols");
    const auto own = rewrite::OwnAddresses::from(settings);
    options.is_own_address = [own](const net::Address& address) { return own.is_interface_or_proxy(address); };
}

// From where, to which port, how many, and where mail goes instead.
void choose_ways(Options& options, const config::Settings& settings, const Parameters& of)
{
    options.address_limit = static_cast<std::size_t>(of.number("mx_address_limit"));
    options.session_limit = static_cast<std::size_t>(of.number("mx_session_limit"));
    options.default_port = of.text("tcp_port");
    options.known_ports = settings.str("known_tcp_ports");
    options.bind_v4 = bind_address(settings, of.name("bind_address"));
    options.bind_v6 = bind_address(settings, of.name("bind_address6"));
    options.is_bind_enforced = of.flag("bind_address_enforce");
    if (!options.is_lmtp) options.best_mx_transport = settings.str("best_mx_transport");
    options.fallback_relays = settings.list(of.name("fallback_relay"));
    options.relay_host = settings.str("relayhost");
}

// How long a connection is kept for other mail.
void choose_reuse(Options& options, const config::Settings& settings, const Parameters& of)
{
    options.reuses_on_demand = of.flag("connection_cache_on_demand");
    options.reused_destinations =
        table::MatchList::open(of.name("connection_cache_destinations"), of.text("connection_cache_destinations"),
                               table::MatchList::Kind::names);
    options.reuses_tls = of.flag("tls_connection_reuse") || !settings.is_set(of.name("tls_connection_reuse"));
    options.idle_limit = of.time("connection_cache_time_limit");
    options.reuse_time_limit = of.time("connection_reuse_time_limit");
    options.reuse_count_limit = static_cast<unsigned>(of.number("connection_reuse_count_limit"));
}

}  // namespace

Options Options::from(const config::Settings& settings, const config::ServiceSpec& service)
{
    Options options;
    options.is_lmtp = service.command == "lmtp";
    const Parameters of(settings, options.is_lmtp);
    options.log_tag = settings.str("syslog_name") + "/" + service.command;
    options.verbosity = service.verbosity;
    options.host_name = settings.str("myhostname");
    options.queue_directory = settings.str("queue_directory");
    choose_handshake(options, settings, of);
    options.limits = {of.time("connect_timeout"),   of.time(options.is_lmtp ? "lhlo_timeout" : "helo_timeout"),
                      of.time("mail_timeout"),      of.time("rcpt_timeout"),
                      of.time("data_init_timeout"), of.time("data_xfer_timeout"),
                      of.time("data_done_timeout"), of.time("rset_timeout"),
                      of.time("quit_timeout"),      of.time("xforward_timeout")};

    if (of.flag("per_request_deadline")) options.min_data_rate = static_cast<std::uint64_t>(of.number("min_data_rate"));
    choose_hosts(options, settings, of);
    choose_ways(options, settings, of);

    options.line_length_limit = static_cast<std::size_t>(of.number("line_length_limit"));
    options.is_quoted = of.flag("quote_rfc821_envelope");
    options.forwards_client = of.flag("send_xforward_command");
    options.skips_quit_reply = of.flag("skip_quit_response");
    options.asks_at_data = base::equal_ignoring_case(of.text("address_verify_target"), "data");

    options.tls = tls::Client::make(tls::ClientOptions::from(settings, options.is_lmtp),
                                    Logger(options.log_tag, options.verbosity));
    options.plaintext_after = settings.time("minimal_backoff_time");
    options.login = LoginOptions::from(settings, options.is_lmtp);
    choose_reuse(options, settings, of);
    return options;
}

}  // namespace ekiden::deliver::smtp
