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

}  // namespace

Options parse_options(int argc, char** argv)
{
    const Voice voice("posttls-finger", 1);
    static char name[] = "posttls-finger";
    argv[0] = name;
    Options options;
    Overrides wanted = nothing_trusted();
    const auto add = [&](const char* parameter, std::string value) {
        wanted.emplace_back(parameter, std::move(value));
    };
    Overrides last;
    std::string anchors, chains, certificate, key;
    bool wants_dane = false, has_told = false;
    int letter;
    while ((letter = ::getopt(argc, argv, "+a:A:cCd:fF:g:h:H:k:K:l:L:m:M:o:p:P:r:s:St:T:vwXx")) != -1) {
        switch (letter) {
        case 'a': options.family = parse_family(voice, optarg); break;
        case 'A': anchors.append(anchors.empty() ? "" : ", ").append(optarg); break;
        case 'c': options.shows_chat = false; break;
        case 'C': options.shows_chain = true; break;
        case 'd': add("smtp_tls_fingerprint_digest", optarg); break;
        case 'f': break;    // about TLSA records, which are not looked up
        case 'F': add("smtp_tls_CAfile", optarg); break;
        case 'g': add("smtp_tls_mandatory_ciphers", optarg), add("smtp_tls_ciphers", optarg); break;
        case 'h': options.uses_hosts_file |= parse_host_lookup(voice, optarg); break;
        case 'H': chains.append(chains.empty() ? "" : ", ").append(optarg); break;
        case 'k': certificate = optarg; break;
        case 'K': key = optarg; break;
        case 'l': {
            const auto level = tls::parse_level(optarg);
            if (!level) voice.fatal(fmt::format("Invalid TLS level \"{}\"", optarg));
            wants_dane = *level == tls::Level::dane || *level == tls::Level::dane_only;
            options.level = wants_dane ? tls::Level::secure : *level;
            break;
        }
        case 'L': options.told = parse_told(voice, optarg), has_told = true; break;
        case 'm': options.most_reconnects = parse_count(voice, 'm', optarg, 0); break;
        case 'M':
            if (const std::string_view policy = optarg; policy != "dane" && policy != "encrypt" && policy != "may")
                voice.fatal(fmt::format("bad '-M' option value: {}", policy));
            break;
        case 'o': last.push_back(parse_override(voice, optarg)); break;
        case 'p': add("smtp_tls_mandatory_protocols", optarg), add("smtp_tls_protocols", optarg); break;
        case 'P': add("smtp_tls_CApath", optarg); break;
        case 'r': options.reconnect_delay = parse_count(voice, 'r', optarg, 0); break;
        case 's': add("smtp_tls_servername", optarg); break;
        case 'S': options.is_lmtp = true; break;
        case 't': options.connect_limit = std::chrono::seconds(parse_count(voice, 't', optarg, 1)); break;
        case 'T': options.command_limit = std::chrono::seconds(parse_count(voice, 'T', optarg, 1)); break;
        case 'v': options.is_verbose = true; break;
        case 'w': options.is_wrapped = true; break;
        case 'X':
        case 'x': break;    // through tlsproxy or without: there is one way here
        default: std::fputs(usage, stderr); std::exit(1);
        }
    }
    if (optind >= argc) {
        std::fputs(usage, stderr);
        std::exit(1);
    }
    if (!chains.empty() && (!certificate.empty() || !key.empty()))
        voice.fatal("the '-H' option excludes '-k' and '-K'");
    options.destination = parse_destination(voice, argv[optind], options.is_lmtp);
    options.match.assign(argv + optind + 1, argv + argc);
    if (options.is_verbose && !has_told) options.told = {true, true, true, true, true};
    if (wants_dane) voice.warning("TLSA records are not looked up in this release, resorting to \"secure\"");

    add("smtp_tls_trust_anchor_file", anchors);
    add("smtp_tls_chain_files", chains);
    add("smtp_tls_cert_file", certificate.empty() ? key : certificate);
    add("smtp_tls_key_file", key.empty() ? certificate : key);
    add("smtp_tls_security_level", std::string(tls::name_of(options.level)));
    wanted.insert(wanted.end(), last.begin(), last.end());
    const auto settings = load(voice, std::move(wanted));
    try {
        options.tls = tls::ClientOptions::from(*settings, false);
    } catch (const config::ConfigError& error) {
        voice.fatal(error.what());
    }
    check_words(voice, options);
    options.own_name = settings->str("myhostname");
    options.hello = settings->str(options.is_lmtp ? "lmtp_lhlo_name" : "smtp_helo_name");
    options.dns_server = settings->str("ekiden_dns_server");
    const std::string protocols = settings->str("inet_protocols");
    options.families.ipv4 = protocols.contains("ipv4") || protocols.contains("all");
    options.families.ipv6 = protocols.contains("ipv6") || protocols.contains("all");
    return options;
}

}  // namespace ekiden::tools::finger
