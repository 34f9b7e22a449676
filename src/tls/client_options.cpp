#include "tls/client_options.hpp"

#include "base/text.hpp"
#include "tls/side_options.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::tls {

namespace {

struct Row {
    std::string_view name;
    Level level;
};
constexpr Row levels[] = {
    {"none", Level::none},           {"may", Level::may},       {"encrypt", Level::encrypt}, {"dane", Level::dane},
    {"dane-only", Level::dane_only}, {"fingerprint", Level::fingerprint}, {"verify", Level::verify}, {"secure", Level::secure},
};

constexpr std::chrono::seconds shortest_session{120};

}  // namespace

std::optional<Level> parse_level(std::string_view word)
{
    for (const Row& row : levels) {
        if (base::equal_ignoring_case(row.name, word)) return row.level;
    }
    return std::nullopt;
}

std::string_view name_of(Level level)
{
    for (const Row& row : levels) {
        if (row.level == level) return row.name;
    }
    return "none";
}

std::string ClientPolicy::digest() const
{
    std::string text =
        fmt::format("{}\n{}\n{}\n{}", static_cast<int>(level), grade.protocols, grade.ciphers, server_name);
    for (const auto* list : {&grade.excluded, &match, &trust_anchor_files}) {
        text += '\n';
        for (const std::string& item : *list) text += item + ' ';
    }
    return text;
}

ClientOptions ClientOptions::from(const config::Settings& settings, bool is_lmtp)
{
    ClientOptions o;
    o.prefix = is_lmtp ? "lmtp_" : "smtp_";
    const auto name = [&](std::string_view suffix) { return o.prefix + std::string(suffix); };
    const auto text = [&](std::string_view suffix) { return settings.str(name(suffix)); };
    const auto list = [&](std::string_view suffix) { return settings.list(name(suffix)); };

    if (const std::string word = text("tls_security_level"); !word.empty()) {
        const auto level = parse_level(word);
        if (!level)
            throw config::ConfigError(fmt::format("Invalid TLS level \"{}\"", word),
                                      settings.location(name("tls_security_level")));
        o.level = *level;
    } else if (settings.boolean(name("enforce_tls"))) {
        o.level = settings.boolean(name("tls_enforce_peername")) ? Level::verify : Level::encrypt;
    } else if (settings.boolean(name("use_tls"))) {
        o.level = Level::may;
    }
    o.is_wrapped = settings.boolean(name("tls_wrappermode"));
    o.notes_offers = settings.boolean(name("tls_note_starttls_offer"));
    o.policies = table::Maps::open(name("tls_policy_maps"), text("tls_policy_maps"));
    if (o.policies.is_empty()) o.sites = table::Maps::open(name("tls_per_site"), text("tls_per_site"));
    if (!o.is_used()) return o;

    o.opportunistic = {text("tls_protocols"), text("tls_ciphers"), list("tls_exclude_ciphers")};
    o.mandatory = {text("tls_mandatory_protocols"), text("tls_mandatory_ciphers"), list("tls_exclude_ciphers")};
    for (auto& item : list("tls_mandatory_exclude_ciphers")) o.mandatory.excluded.push_back(std::move(item));
    const auto names = [&](std::string_view suffix) {
        std::vector<std::string> result;
        const std::string value = text(suffix);
        for (std::string_view word : base::split_any(value, ", \t\r\n:")) result.emplace_back(word);
        return result;
    };
    o.verify_match = names("tls_verify_cert_match");
    o.secure_match = names("tls_secure_cert_match");
    o.fingerprints = list("tls_fingerprint_cert_match");
    o.server_name = text("tls_servername");
    o.trust_anchor_files = list("tls_trust_anchor_file");

    o.credentials = credential_files(settings, o.prefix);
    o.ca_file = text("tls_CAfile");
    o.ca_path = text("tls_CApath");
    o.trusts_default_authorities = settings.boolean("tls_append_default_CA");
    o.verify_depth = static_cast<int>(settings.integer(name("tls_scert_verifydepth")));
    o.wildcards_are_deep = settings.boolean("tls_wildcard_matches_multiple_labels");
    o.lists = cipher_lists(settings);
    std::vector<std::string> groups = settings.list("tls_eecdh_auto_curves");
    for (std::string& group : settings.list("tls_ffdhe_auto_groups")) groups.push_back(std::move(group));
    o.groups = group_list(groups, o.warnings);
    const OptionBits chosen = option_bits(settings, o.warnings);
    o.options_set = chosen.set;
    o.options_cleared = chosen.cleared;
    o.digest = text("tls_fingerprint_digest");
    o.has_legacy_key_fingerprints = settings.boolean("tls_legacy_public_key_fingerprints");
    if (auto bits = parse_log_level(text("tls_loglevel"))) o.log = *bits;
    else
        o.warnings.push_back(
            fmt::format("unknown {0}tls_loglevel value \"{1}\" in \"{1}\"", o.prefix, text("tls_loglevel")));
    o.handshake_limit = settings.time(name("starttls_timeout"));
    o.session_limit = settings.time(name("tls_session_cache_timeout"));
    if (o.session_limit.count() > 0) o.session_limit = std::max(o.session_limit, shortest_session);
    return o;
}

}  // namespace ekiden::tls
