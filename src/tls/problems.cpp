#include "tls/problems.hpp"

#include "tls/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace ekiden::tls {

namespace {

// Which parameters a sentence is about: the first word of it that is found decides.
struct Clue {
    std::string_view word;
    std::initializer_list<std::string_view> parameters;
};
const Clue clues[] = {
    {"protocol", {"smtpd_tls_mandatory_protocols", "smtpd_tls_protocols"}},
    {"cipher grade", {"smtpd_tls_mandatory_ciphers", "smtpd_tls_ciphers"}},
    {"Digest", {"smtpd_tls_fingerprint_digest"}},
    {"tls_ssl_options", {"tls_ssl_options"}},
    {"tls_disable_workarounds", {"tls_disable_workarounds"}},
    {"tls_session_ticket_cipher", {"tls_session_ticket_cipher"}},
    {"smtpd_tls_loglevel", {"smtpd_tls_loglevel"}},
    {"Certification Authority", {"smtpd_tls_CAfile", "smtpd_tls_CApath"}},
    {"DH parameter", {"smtpd_tls_dh1024_param_file"}},
    {"client certs", {"smtpd_tls_req_ccert"}},
    {"TLS level", {"smtpd_tls_security_level"}},
    {"open database", {"tls_server_sni_maps"}},
    {"curve", {"smtpd_tls_eecdh_grade", "tls_eecdh_auto_curves", "tls_ffdhe_auto_groups", "tls_eecdh_strong_curve", "tls_eecdh_ultra_curve"}},
    {"", {"smtpd_tls_chain_files", "smtpd_tls_cert_file", "smtpd_tls_eccert_file", "smtpd_tls_dcert_file", "smtpd_tls_wrappermode", "smtpd_tls_security_level", "smtpd_use_tls"}},
};

config::Location place_of(const config::Settings& settings, const ServerOptions& options, std::string_view text)
{
    const auto* clue = std::ranges::find_if(clues, [&](const Clue& c) { return text.find(c.word) != text.npos; });
    for (std::string_view name : clue->parameters) {
        // The list that is not in use is not the wrong one.
        const bool is_idle = options.level == ServerOptions::Level::encrypt
                                 ? name == "smtpd_tls_protocols" || name == "smtpd_tls_ciphers"
                                 : name.starts_with("smtpd_tls_mandatory_");
        if (!is_idle && settings.is_set(name)) return settings.location(name);
    }
    return {};
}

}  // namespace

std::vector<config::Problem> find_problems(const config::Settings& settings)
{
    using Level = config::Problem::Level;
    const ServerOptions options = ServerOptions::from(settings);
    if (!options.is_used()) return {};
    std::vector<config::Problem> problems;
    auto add = [&](Level level, const std::string& text) {
        config::Location at = place_of(settings, options, text);
        if (at.line == 0) at = {};
        problems.push_back(config::make_problem(level, at, text));
    };
    const Level serious = options.is_demanded() ? Level::fatal : Level::warning;
    for (const std::string& text : options.troubles) add(serious, text);
    for (const std::string& text : options.warnings) add(Level::warning, text);
    if (!options.troubles.empty()) return problems;
    std::vector<std::string> warnings;
    const auto made = make_context(options, warnings);
    for (const std::string& text : warnings) add(Level::warning, text);
    if (!made) add(serious, made.error().text());
    return problems;
}

std::vector<config::Problem> find_server_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems;
    auto add = [&](config::Problem problem) {
        if (std::ranges::none_of(problems, [&](const config::Problem& other) { return other.text == problem.text; }))
            problems.push_back(std::move(problem));
    };
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "smtpd" || service.type != "inet") continue;
        try {
            for (config::Problem& problem : find_problems(*settings.for_service(service))) add(std::move(problem));
        } catch (const config::ConfigError& error) {
            const config::Location at = error.location.line > 0 ? error.location : config::Location{};
            // A value of an -o entry that does not parse names its place itself.
            if (const std::string text = error.what(); text.starts_with(config::place_of(at)) && at.line > 0)
                add({config::Problem::Level::fatal, at, text});
            else add(config::make_problem(config::Problem::Level::fatal, at, text));
        }
    }
    return problems;
}

}  // namespace ekiden::tls
