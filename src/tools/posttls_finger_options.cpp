// The command line of posttls-finger. TLS itself is asked for in main.cf's own words: each option overrides a parameter.
#include "tools/posttls_finger.hpp"

#include "base/text.hpp"
#include "tls/words.hpp"
#include "tools/support.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <getopt.h>
#include <netdb.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace ekiden::tools::finger {

namespace {

constexpr auto usage =
    "usage: posttls-finger [-acCfSvw] [-t conn_tmout] [-T cmd_tmout] [-L logopts] \\\n"
    "\t[-h host_lookup] [-l level] [-d mdalg] [-g grade] [-p protocols] \\\n"
    "\t[-A tafile] [-F CAfile.pem] [-P CApath/] [-s servername] \\\n"
    "\t[ [-H chainfiles] | [-k certfile [-K keyfile]] ] \\\n"
    "\t[-m count] [-r delay] [-o name=value] destination [match ...]\n";

using Overrides = std::vector<std::pair<std::string, std::string>>;

Told parse_told(const Voice& voice, std::string_view text)
{
    Told told{false, false, false, false, false};
    for (const auto written : base::split_any(text)) {
        const std::string word = base::lower(written);
        const bool is_debug = word == "2" || word == "debug" || word == "3" || word == "ssl-expert" || word == "4" ||
                              word == "ssl-developer";
        if (word == "0" || word == "none" || word == "untrusted") continue;
        else if (word == "1" || word == "routine" || word == "summary") told.summary = true;
        else if (word == "certmatch") told.certificate_match = true;
        else if (word == "peercert") told.peer_certificate = true;
        else if (word == "cache") told.cache = true;
        else if (word == "ssl-debug" || word == "ssl-handshake-packet-dump" || word == "ssl-session-packet-dump")
            told.steps = true;
        else if (word == "verbose") told.certificate_match = told.peer_certificate = told.cache = told.steps = true;
        else if (is_debug) told = {true, true, true, true, true};
        else voice.fatal(fmt::format("unknown -L option value \"{}\" in \"{}\"", written, text));
    }
    return told;
}

std::uint16_t parse_port(const Voice& voice, const std::string& text)
{
    if (const auto number = base::parse_number<std::uint16_t>(text); number && *number > 0) return *number;
    const servent* service = ::getservbyname(text.c_str(), "tcp");
    if (!service) voice.fatal(fmt::format("unknown service: {}/tcp", text));
    return ntohs(static_cast<std::uint16_t>(service->s_port));
}

Destination parse_destination(const Voice& voice, std::string text, bool is_lmtp)
{
    Destination to;
    to.text = text;
    to.port = is_lmtp ? 24 : 25;
    if (is_lmtp && text.starts_with("unix:")) {
        to.is_unix = true;
        to.host = text.substr(5);
        return to;
    }
    if (text.starts_with("inet:")) text.erase(0, 5);
    if (is_lmtp) to.uses_mx = false;
    std::string port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == text.npos || (end + 1 < text.size() && text[end + 1] != ':'))
            voice.fatal(fmt::format("{}: want [host] or [host]:port", text));
        to.host = text.substr(1, end - 1);
        if (end + 2 <= text.size()) port = text.substr(end + 2);
        to.uses_mx = false;
    } else {
        const std::size_t colon = text.rfind(':');
        to.host = text.substr(0, colon);
        if (colon != text.npos) port = text.substr(colon + 1);
    }
    if (base::lower(to.host).starts_with("ipv6:")) to.host.erase(0, 5);
    if (to.host.empty()) voice.fatal(fmt::format("{}: there is no host in the destination", to.text));
    if (!port.empty()) to.port = parse_port(voice, port);
    return to;
}

int parse_count(const Voice& voice, char letter, const char* text, int least)
{
    const auto number = base::parse_number<int>(std::string_view(text));
    if (!number || *number < least || *number > 86400)
        voice.fatal(fmt::format("bad '-{}' option value: {}", letter, text));
    return *number;
}

config::SettingsPtr load(const Voice& voice, Overrides overrides)
{
    try {
        config::LoadOptions options;
        options.checks = config::Checks::none;
        options.read_master_cf = false;
        options.overrides = std::move(overrides);
        return config::Settings::load(options);
    } catch (const config::ConfigError& error) {
        voice.fatal(error.what());
    }
}

// Only what the command line names is trusted and used, whatever main.cf says of mail.
Overrides nothing_trusted()
{
    Overrides overrides{{"tls_append_default_CA", "no"},
                        {"smtp_tls_loglevel", "0"},
                        {"smtp_tls_mandatory_ciphers", "medium"},
                        {"smtp_tls_mandatory_protocols", ">=TLSv1"},
                        {"smtp_tls_protocols", ">=TLSv1"},
                        {"smtp_tls_security_level", "secure"},
                        {"smtp_use_tls", "no"},
                        {"smtp_enforce_tls", "no"}};
    for (const char* parameter :
         {"smtp_tls_policy_maps", "smtp_tls_per_site", "smtp_tls_CAfile", "smtp_tls_CApath", "smtp_tls_chain_files",
          "smtp_tls_cert_file", "smtp_tls_key_file", "smtp_tls_eccert_file", "smtp_tls_eckey_file",
          "smtp_tls_dcert_file", "smtp_tls_dkey_file", "smtp_tls_servername", "smtp_tls_trust_anchor_file"})
        overrides.emplace_back(parameter, "");
    return overrides;
}

dns::FamilyPreference parse_family(const Voice& voice, std::string_view text)
{
    if (text == "any") return dns::FamilyPreference::any;
    if (text == "ipv4") return dns::FamilyPreference::ipv4;
    if (text == "ipv6") return dns::FamilyPreference::ipv6;
    voice.fatal(fmt::format("bad '-a' option value: {}", text));
}

// -h: whether names may come from /etc/hosts, too.
bool parse_host_lookup(const Voice& voice, std::string_view text)
{
    bool uses_hosts_file = false;
    for (const auto word : base::split_any(text)) {
        if (word == "native") uses_hosts_file = true;
        else if (word != "dns") voice.fatal(fmt::format("unknown -h option value \"{}\" in \"{}\"", word, text));
    }
    return uses_hosts_file;
}

std::pair<std::string, std::string> parse_override(const Voice& voice, std::string_view pair)
{
    const std::size_t equals = pair.find('=');
    if (equals == pair.npos || equals == 0)
        voice.fatal(fmt::format("bad '-o' option value: {}; want name=value", pair));
    return {std::string(base::trim(pair.substr(0, equals))), std::string(base::trim(pair.substr(equals + 1)))};
}

void check_words(const Voice& voice, const Options& options)
{
    if (options.level == tls::Level::none) return;
    const auto& grade = options.tls.grade(options.level);
    if (const auto list = tls::cipher_list(grade.ciphers, options.tls.lists, {}); !list)
        voice.fatal(fmt::format("invalid cipher grade: \"{}\"", grade.ciphers));
    if (const auto protocols = tls::parse_protocols(grade.protocols); !protocols)
        voice.fatal(fmt::format("Invalid TLS protocol list \"{}\"", grade.protocols));
    if (!::EVP_get_digestbyname(options.tls.digest.c_str()))
        voice.fatal(fmt::format("Digest algorithm \"{}\" not found", options.tls.digest));
}

[[noreturn]] void end_with_usage()
{
    std::fputs(usage, stderr);
    std::exit(1);
}

// Options that are other words for parameters.
constexpr struct {
    char letter;
    const char* parameter;
} parameters_of_letters[] = {
    {'d', "smtp_tls_fingerprint_digest"},  {'F', "smtp_tls_CAfile"},    {'g', "smtp_tls_mandatory_ciphers"},
    {'g', "smtp_tls_ciphers"},             {'P', "smtp_tls_CApath"},    {'p', "smtp_tls_mandatory_protocols"},
    {'p', "smtp_tls_protocols"},           {'s', "smtp_tls_servername"},
};

class CommandLine {
public:
    explicit CommandLine(const Voice& voice) : voice_(voice) {}
    void take(char letter, const char* value);
    // When all options were taken: what is to be asked of whom.
    Options finish(const char* destination, std::vector<std::string> match);

private:
    void take_level(const char* value);
    config::SettingsPtr settings_wanted();

    const Voice& voice_;
    Options options_;
    Overrides wanted_ = nothing_trusted(), last_;
    std::string anchors_, chains_, certificate_, key_;
    bool wants_dane_ = false, has_told_ = false;
};

void CommandLine::take(char letter, const char* value)
{
    switch (letter) {
    case 'a': options_.family = parse_family(voice_, value); break;
    case 'A': anchors_.append(anchors_.empty() ? "" : ", ").append(value); break;
    case 'c': options_.shows_chat = false; break;
    case 'C': options_.shows_chain = true; break;
    case 'f': break;    // about TLSA records, which are not looked up
    case 'h': options_.uses_hosts_file |= parse_host_lookup(voice_, value); break;
    case 'H': chains_.append(chains_.empty() ? "" : ", ").append(value); break;
    case 'k': certificate_ = value; break;
    case 'K': key_ = value; break;
    case 'l': take_level(value); break;
    case 'L': options_.told = parse_told(voice_, value), has_told_ = true; break;
    case 'm': options_.most_reconnects = parse_count(voice_, 'm', value, 0); break;
    case 'M':
        if (const std::string_view policy = value; policy != "dane" && policy != "encrypt" && policy != "may")
            voice_.fatal(fmt::format("bad '-M' option value: {}", policy));
        break;
    case 'o': last_.push_back(parse_override(voice_, value)); break;
    case 'r': options_.reconnect_delay = parse_count(voice_, 'r', value, 0); break;
    case 'S': options_.is_lmtp = true; break;
    case 't': options_.connect_limit = std::chrono::seconds(parse_count(voice_, 't', value, 1)); break;
    case 'T': options_.command_limit = std::chrono::seconds(parse_count(voice_, 'T', value, 1)); break;
    case 'v': options_.is_verbose = true; break;
    case 'w': options_.is_wrapped = true; break;
    case 'X':
    case 'x': break;    // through tlsproxy or without: there is one way here
    default: {
        bool is_known = false;
        for (const auto& row : parameters_of_letters) {
            if (row.letter != letter) continue;
            is_known = true;
            wanted_.emplace_back(row.parameter, value);
        }
        if (!is_known) end_with_usage();
    }
    }
}

void CommandLine::take_level(const char* value)
{
    const auto level = tls::parse_level(value);
    if (!level) voice_.fatal(fmt::format("Invalid TLS level \"{}\"", value));
    wants_dane_ = *level == tls::Level::dane || *level == tls::Level::dane_only;
    options_.level = wants_dane_ ? tls::Level::secure : *level;
}

config::SettingsPtr CommandLine::settings_wanted()
{
    wanted_.emplace_back("smtp_tls_trust_anchor_file", anchors_);
    wanted_.emplace_back("smtp_tls_chain_files", chains_);
    wanted_.emplace_back("smtp_tls_cert_file", certificate_.empty() ? key_ : certificate_);
    wanted_.emplace_back("smtp_tls_key_file", key_.empty() ? certificate_ : key_);
    wanted_.emplace_back("smtp_tls_security_level", std::string(tls::name_of(options_.level)));
    wanted_.insert(wanted_.end(), last_.begin(), last_.end());
    return load(voice_, std::move(wanted_));
}

Options CommandLine::finish(const char* destination, std::vector<std::string> match)
{
    if (!chains_.empty() && (!certificate_.empty() || !key_.empty()))
        voice_.fatal("the '-H' option excludes '-k' and '-K'");
    options_.destination = parse_destination(voice_, destination, options_.is_lmtp);
    options_.match = std::move(match);
    if (options_.is_verbose && !has_told_) options_.told = {true, true, true, true, true};
    if (wants_dane_) voice_.warning("TLSA records are not looked up in this release, resorting to \"secure\"");

    const auto settings = settings_wanted();
    try {
        options_.tls = tls::ClientOptions::from(*settings, false);
    } catch (const config::ConfigError& error) {
        voice_.fatal(error.what());
    }
    check_words(voice_, options_);
    options_.own_name = settings->str("myhostname");
    options_.hello = settings->str(options_.is_lmtp ? "lmtp_lhlo_name" : "smtp_helo_name");
    options_.dns_server = settings->str("ekiden_dns_server");
    const std::string protocols = settings->str("inet_protocols");
    options_.families.ipv4 = protocols.contains("ipv4") || protocols.contains("all");
    options_.families.ipv6 = protocols.contains("ipv6") || protocols.contains("all");
    return std::move(options_);
}

}  // namespace

Options parse_options(int argc, char** argv)
{
    const Voice voice("posttls-finger", 1);
    static char name[] = "posttls-finger";
    argv[0] = name;
    CommandLine line(voice);
    int letter;
    while ((letter = ::getopt(argc, argv, "+a:A:cCd:fF:g:h:H:k:K:l:L:m:M:o:p:P:r:s:St:T:vwXx")) != -1)
        line.take(static_cast<char>(letter), optarg);
    if (optind >= argc) end_with_usage();
    return line.finish(argv[optind], {argv + optind + 1, argv + argc});
}

}  // namespace ekiden::tools::finger
