#include "tls/server_options.hpp"

#include "base/text.hpp"
#include "tls/context.hpp"
#include "tls/side_options.hpp"

#include <openssl/evp.h>

#include <fmt/format.h>

namespace ekiden::tls {

namespace {

ServerOptions::Level level_of(const config::Settings& settings, std::vector<std::string>& warnings)
{
    using Level = ServerOptions::Level;
    const std::string word = settings.str("smtpd_tls_security_level");
    if (word.empty()) {
        // What the two obsolete switches said before there was a level.
        if (settings.boolean("smtpd_enforce_tls") || settings.boolean("smtpd_tls_wrappermode")) return Level::encrypt;
        return settings.boolean("smtpd_use_tls") ? Level::may : Level::none;
    }
    if (base::equal_ignoring_case(word, "none")) return Level::none;
    if (base::equal_ignoring_case(word, "may")) return Level::may;
    if (base::equal_ignoring_case(word, "encrypt")) return Level::encrypt;
    for (std::string_view strict : {"fingerprint", "verify", "secure"}) {
        if (!base::equal_ignoring_case(word, strict)) continue;
        warnings.push_back(
            fmt::format("smtpd_tls_security_level: unsupported TLS level \"{}\", using \"encrypt\"", word));
        return Level::encrypt;
    }
    throw config::ConfigError(fmt::format("Invalid TLS level \"{}\"", word),
                              settings.location("smtpd_tls_security_level"));
}

void choose_groups(ServerOptions& o, const config::Settings& settings)
{
    const std::string grade = settings.str("smtpd_tls_eecdh_grade");
    std::vector<std::string> names;
    if (base::equal_ignoring_case(grade, "auto")) {
        names = settings.list("tls_eecdh_auto_curves");
        for (auto& name : settings.list("tls_ffdhe_auto_groups")) names.push_back(std::move(name));
    } else if (base::equal_ignoring_case(grade, "strong")) {
        names = {settings.str("tls_eecdh_strong_curve")};
    } else if (base::equal_ignoring_case(grade, "ultra")) {
        names = {settings.str("tls_eecdh_ultra_curve")};
    } else if (!base::equal_ignoring_case(grade, "none")) {
        o.warnings.push_back(
            fmt::format("unknown smtpd_tls_eecdh_grade value \"{}\": OpenSSL chooses the curves", grade));
    }
    o.groups = group_list(names, o.warnings);
}

// Which sessions have TLS, and what is asked of clients there.
void choose_demands(ServerOptions& o, const config::Settings& settings)
{
    using Level = ServerOptions::Level;
    o.level = level_of(settings, o.warnings);
    o.is_wrapped = settings.boolean("smtpd_tls_wrappermode");
    // An empty level or "none" beside wrapper mode is taken as what wrapper mode needs.
    if (o.is_wrapped) o.level = Level::encrypt;
    o.auth_needs_tls = settings.boolean("smtpd_tls_auth_only") || o.level == Level::encrypt;
    o.requires_certificate = settings.boolean("smtpd_tls_req_ccert");
    if (o.requires_certificate && o.level != Level::encrypt) {
        if (o.is_used()) o.warnings.push_back("Can't require client certs unless TLS is required");
        o.requires_certificate = false;
    }
    o.asks_certificate = settings.boolean("smtpd_tls_ask_ccert") || o.requires_certificate;
    o.has_received_comment = settings.boolean("smtpd_tls_received_header");
    o.handshake_limit = settings.time("smtpd_starttls_timeout");
    if (auto level = parse_log_level(settings.str("smtpd_tls_loglevel"))) o.log = *level;
    else o.warnings.push_back(level.error().text());
}

// What the server shows, and whose certificates it believes.
void choose_certificates(ServerOptions& o, const config::Settings& settings, const table::OpenOptions& tables)
{
    o.credentials = credential_files(settings, "smtpd_");
    if (!o.credentials.chain_files.empty() &&
        !(settings.str("smtpd_tls_cert_file") + settings.str("smtpd_tls_eccert_file") +
          settings.str("smtpd_tls_dcert_file"))
             .empty()) {
        o.warnings.push_back(
            "Both smtpd_tls_chain_files and one or more of the legacy  smtpd_tls_cert_file, smtpd_tls_eccert_file or smtpd_tls_dcert_file are non-empty; the legacy  parameters will be ignored");
    }
    o.server_names = table::Maps::open("tls_server_sni_maps", settings.str("tls_server_sni_maps"), tables);
    for (const std::string& problem : o.server_names.problems()) o.warnings.push_back(problem);
    o.ca_file = settings.str("smtpd_tls_CAfile");
    o.ca_path = settings.str("smtpd_tls_CApath");
    o.trusts_default_authorities = settings.boolean("tls_append_default_CA");
    o.trusts_server_certificates = settings.boolean("tls_trust_server_ccerts");
    o.verify_depth = static_cast<int>(settings.integer("smtpd_tls_ccert_verifydepth"));
}

void choose_ciphers(ServerOptions& o, const config::Settings& settings)
{
    const bool is_mandatory = o.level == ServerOptions::Level::encrypt;
    if (auto protocols =
            parse_protocols(settings.str(is_mandatory ? "smtpd_tls_mandatory_protocols" : "smtpd_tls_protocols")))
        o.protocols = *protocols;
    else o.troubles.push_back(protocols.error().text() + ": disabling TLS support");

    std::vector<std::string> excluded = settings.list("smtpd_tls_exclude_ciphers");
    if (is_mandatory) {
        for (auto& item : settings.list("smtpd_tls_mandatory_exclude_ciphers")) excluded.push_back(std::move(item));
    }
    // Without a certificate of ours there can be none of the client's.
    if (o.asks_certificate) excluded.push_back("aNULL");
    o.grade = settings.str(is_mandatory ? "smtpd_tls_mandatory_ciphers" : "smtpd_tls_ciphers");
    if (auto ciphers = cipher_list(o.grade, cipher_lists(settings), excluded)) o.ciphers = std::move(*ciphers);
    else o.troubles.push_back(ciphers.error().text());
    o.prefers_own_order = settings.boolean("tls_preempt_cipherlist");
    choose_groups(o, settings);
    o.dh_file = settings.str("smtpd_tls_dh1024_param_file");
    if (base::equal_ignoring_case(o.dh_file, "auto")) o.dh_file.clear();

    const OptionBits bits = option_bits(settings, o.warnings);
    o.options_set = bits.set;
    o.options_cleared = bits.cleared;
}

// How sessions are resumed.
void choose_resumption(ServerOptions& o, const config::Settings& settings)
{
    o.session_limit = settings.time("smtpd_tls_session_cache_timeout");
    o.has_session_cache = !settings.str("smtpd_tls_session_cache_database").empty();
    o.always_issues_ids = settings.boolean("smtpd_tls_always_issue_session_ids");
    o.ticket_cipher = settings.str("tls_session_ticket_cipher");
    if (!o.ticket_cipher.empty() && !is_ticket_cipher(o.ticket_cipher)) {
        o.warnings.push_back(
            fmt::format("tls_session_ticket_cipher: invalid value: {}; session tickets disabled", o.ticket_cipher));
        o.ticket_cipher.clear();
    }
    if (o.session_limit.count() <= 0) {
        o.ticket_cipher.clear();
        o.has_session_cache = false;
    }
}

}  // namespace

ServerOptions ServerOptions::from(const config::Settings& settings, const table::OpenOptions& tables)
{
    ServerOptions o;
    choose_demands(o, settings);
    choose_certificates(o, settings, tables);
    choose_ciphers(o, settings);
    choose_resumption(o, settings);
    o.digest = settings.str("smtpd_tls_fingerprint_digest");
    if (!EVP_get_digestbyname(o.digest.c_str()))
        o.troubles.push_back(fmt::format("Digest algorithm \"{}\" not found", o.digest));
    o.has_legacy_key_fingerprints = settings.boolean("tls_legacy_public_key_fingerprints");
    o.scope = settings.str("myhostname") + "/" + settings.str("service_name");
    return o;
}

}  // namespace ekiden::tls
