#include "config/lint.hpp"

#include "base/text.hpp"
#include "config/expand.hpp"
#include "config/lint_services.hpp"
#include "config/main_cf.hpp"
#include "config/restriction_names.hpp"
#include "config/snapshot.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace ekiden::config {

namespace {

// Old names, and what says the same today.
struct Obsolete {
    std::string_view name, advice;
};
constexpr std::array obsolete_names{
    Obsolete{"smtpd_sasl_application_name", "it is called smtpd_sasl_path since Postfix 2.3"},
    Obsolete{"smtp_use_tls", "write smtp_tls_security_level = may"},
    Obsolete{"smtpd_use_tls", "write smtpd_tls_security_level = may"},
    Obsolete{"lmtp_use_tls", "write lmtp_tls_security_level = may"},
    Obsolete{"smtp_enforce_tls", "write smtp_tls_security_level = encrypt"},
    Obsolete{"smtpd_enforce_tls", "write smtpd_tls_security_level = encrypt"},
    Obsolete{"lmtp_enforce_tls", "write lmtp_tls_security_level = encrypt"},
    Obsolete{"smtp_tls_per_site", "use smtp_tls_policy_maps"},
    Obsolete{"fallback_relay", "it is called smtp_fallback_relay since Postfix 2.3"},
    Obsolete{"virtual_maps", "it is called virtual_alias_maps since Postfix 2.0"},
    Obsolete{"authorized_verp_clients", "it is called smtpd_authorized_verp_clients since Postfix 2.0"},
    Obsolete{"smtpd_client_connection_limit_exceptions", "it is called smtpd_client_event_limit_exceptions since Postfix 2.2"},
    Obsolete{"sender_based_routing", "use sender_dependent_relayhost_maps"},
    Obsolete{"extract_recipient_limit", "it has no effect since Postfix 2.1"},
    Obsolete{"enable_errors_to", "it has no effect since Postfix 2.1"},
    Obsolete{"smtp_skip_4xx_greeting", "it has no effect since Postfix 2.0"},
    Obsolete{"smtp_tls_cipherlist", "use smtp_tls_mandatory_ciphers"},
    Obsolete{"smtpd_tls_cipherlist", "use smtpd_tls_mandatory_ciphers"},
    Obsolete{"lmtp_cache_connection", "use lmtp_connection_cache_on_demand"},
    Obsolete{"postscreen_whitelist_interfaces", "it is called postscreen_allowlist_interfaces since Postfix 3.6"},
    Obsolete{"postscreen_blacklist_action", "it is called postscreen_denylist_action since Postfix 3.6"},
    Obsolete{"maps_rbl_domains", "use reject_rbl_client in smtpd_recipient_restrictions"},
};

// Blanks that are none for Postfix: they become part of a word.
struct Blank {
    std::string_view bytes, name;
};
constexpr std::array foreign_blanks{
    Blank{"\xe3\x80\x80", "full-width space (U+3000)"}, Blank{"\xc2\xa0", "no-break space (U+00A0)"},
    Blank{"\xe2\x80\x83", "em space (U+2003)"},          Blank{"\xe2\x80\x82", "en space (U+2002)"},
    Blank{"\xe2\x80\x8b", "zero-width space (U+200B)"},  Blank{"\xe2\x80\x89", "thin space (U+2009)"},
    Blank{"\xef\xbb\xbf", "byte order mark (U+FEFF)"},
};

class Linter {
public:
    explicit Linter(const Settings& settings) : settings_(settings) {}

    std::vector<Problem> run()
    {
        find_mentions();
        for (const auto& name : settings_.names_set()) {
            const auto* setting = settings_.data().find(name);
            if (setting->at.line == 0) continue;
            check_name(name, *setting);
            check_blanks(name + "=" + setting->raw, setting->at);
            check_comment(name, *setting);
            check_continuation(name, *setting);
            if (name.starts_with("smtpd_") && name.ends_with("_restrictions")) check_restrictions(setting->expanded, setting->at);
            if (name == "mail_spool_directory") check_folder(name, *setting);
        }
        for (const auto& word : settings_.list("smtpd_restriction_classes"))
            if (const auto* setting = settings_.data().find(word)) check_restrictions(setting->expanded, setting->at);
        for (const auto& service : settings_.services())
            for (const auto& [name, value] : service.overrides) {
                check_blanks(name + "=" + value, {service.file, service.line});
                if (service.command == "smtpd" && name.starts_with("smtpd_") && name.ends_with("_restrictions")) check_own_restrictions(service, name);
            }
        return std::move(problems_);
    }

private:
    void add(const Location& at, std::string_view text)
    {
        problems_.push_back({Problem::Level::warning, at, fmt::format("{}{} line {}: {}", at.file, at.file.ends_with("master.cf") ? ":" : ",", at.line, text)});
    }

    void find_mentions()
    {
        const auto mention = [this](std::string_view name) { mentioned_.emplace(name); };
        for (const auto& name : settings_.names_set()) for_each_name(settings_.raw(name), mention);
        for (const auto& service : settings_.services())
            for (const auto& [name, value] : service.overrides) for_each_name(value, mention);
        for (const auto& word : settings_.list("smtpd_restriction_classes")) mentioned_.insert(word);
        for (const auto& name : settings_.names_set())
            for (auto word : base::split_any(settings_.data().find(name)->expanded)) {
                if (word.starts_with("proxy:")) word.remove_prefix(6);
                if (const auto colon = word.find(':'); colon != std::string_view::npos) sources_.emplace(word.substr(colon + 1));
            }
    }

    bool is_service_parameter(std::string_view name) const
    {
        std::string_view service;
        if (find_service_parameter(name, &service) == nullptr) return false;
        return settings_.services().empty()
               || std::ranges::find(settings_.services(), service, &ServiceSpec::name) != settings_.services().end();
    }
    // `<source>_hosts` and the like of a table whose source is not a file.
    bool is_table_parameter(std::string_view name) const
    {
        return std::ranges::any_of(sources_, [&](const std::string& source) {
            return name.size() > source.size() + 1 && name.starts_with(source) && name[source.size()] == '_';
        });
    }

    void check_name(const std::string& name, const Setting& setting)
    {
        const auto old = std::ranges::find(obsolete_names, name, &Obsolete::name);
        if (old != obsolete_names.end()) {
            add(setting.at, fmt::format("{} is obsolete: {}", name, old->advice));
            return;
        }
        if (setting.parameter != nullptr || mentioned_.contains(name) || is_table_parameter(name)) return;
        std::string_view service;
        if (find_service_parameter(name, &service) != nullptr) {
            if (!is_service_parameter(name))
                add(setting.at, fmt::format("unused parameter: {}={}: master.cf has no service \"{}\"", name, setting.raw, service));
            return;
        }
        std::string_view best;
        int distance = 4;
        for (const auto& row : all_parameters()) {
            const int edits = base::edit_distance(name, row.name, distance);
            if (edits < distance && !row.is_obsolete()) {
                distance = edits;
                best = row.name;
            }
        }
        add(setting.at, best.empty() ? fmt::format("unused parameter: {}={}", name, setting.raw)
                                     : fmt::format("unused parameter: {}={}: is {} meant?", name, setting.raw, best));
    }

    void check_folder(const std::string& name, const Setting& setting)
    {
        std::error_code trouble;
        if (!std::filesystem::is_directory(setting.expanded, trouble))
            add(setting.at, fmt::format("{} = {}: there is no such folder, so mail that goes there will come back", name, setting.expanded));
    }

    void check_blanks(std::string_view text, const Location& at)
    {
        for (const auto& blank : foreign_blanks)
            if (const auto found = text.find(blank.bytes); found != std::string_view::npos) {
                auto after = text.substr(found);
                while (after.starts_with(blank.bytes)) after.remove_prefix(blank.bytes.size());
                const auto word = after.substr(0, after.find_first_of(", \t"));
                add(at, fmt::format("a {} in front of \"{}\" is not a blank for the mail system, but part of the word: replace it "
                                    "by an ordinary space",
                                    blank.name, word));
            }
    }

    void check_comment(const std::string& name, const Setting& setting)
    {
        const auto& value = setting.raw;
        for (auto at = value.find('#'); at != std::string::npos; at = value.find('#', at + 1))
            if (at == 0 || base::is_space(value[at - 1])) {
                add(setting.at, fmt::format("\"{}\" is part of the value of {}: a comment must have a line of its own",
                                            value.substr(at), name));
                return;
            }
    }

    // A line that begins with blanks continues the one before: `name = value` there was meant as an entry.
    void check_continuation(const std::string& name, const Setting& setting)
    {
        const auto words = base::split_any(setting.raw, " \t");
        for (std::size_t i = 0; i < words.size(); ++i) {
            const auto word = words[i];
            const auto equals = word.find('=');
            const auto candidate = word.substr(0, equals);
            const bool is_assignment = equals != std::string_view::npos ? equals > 0 : i + 1 < words.size() && words[i + 1].starts_with('=');
            if (!is_assignment || i == 0 || find_parameter(candidate) == nullptr) continue;
            // Values that hold assignments by their nature.
            if (name == "debugger_command" || name == "import_environment" || name == "export_environment") return;
            add(setting.at, fmt::format("\"{} = …\" is part of the value of {}, because its line begins with a blank: move it to "
                                        "the start of the line",
                                        candidate, name));
        }
    }

    void check_restrictions(const std::string& value, const Location& at)
    {
        bool is_argument = false;
        const auto words = split_list(value);
        for (const auto& word : words) {
            const bool was_argument = std::exchange(is_argument, false);
            if (was_argument || word.starts_with('{') || word.find(':') != std::string::npos) continue;
            if (const auto* known = find_restriction(word)) {
                is_argument = known->has_argument;
                if (!known->advice.empty()) add(at, fmt::format("restriction \"{}\" {}", word, known->advice));
                continue;
            }
            if (mentioned_.contains(word) || word.starts_with('#')) continue;
            const auto nearest = nearest_restriction(word);
            add(at, nearest.empty() ? fmt::format("unknown smtpd restriction: \"{}\"", word)
                                    : fmt::format("unknown smtpd restriction: \"{}\": is {} meant?", word, nearest));
        }
        if (is_argument) add(at, fmt::format("restriction \"{}\" needs an argument", words.back()));
    }

    void check_own_restrictions(const ServiceSpec& service, const std::string& name)
    {
        try {
            check_restrictions(settings_.for_service(service)->str(name), {service.file, service.line});
        } catch (const ConfigError&) {
            // Another value of that line is of no use: lint_logins() says so.
        }
    }

    const Settings& settings_;
    std::vector<Problem> problems_;
    std::set<std::string, std::less<>> mentioned_;
    std::set<std::string, std::less<>> sources_;
};

}  // namespace

std::vector<Problem> lint(const Settings& settings)
{
    auto problems = Linter(settings).run();
    for (auto part : {find_undefined, lint_overrides, lint_words, lint_logins, lint_tls, lint_clients}) {
        auto found = part(settings);
        for (auto& problem : found)
            if (std::ranges::find(problems, problem.text, &Problem::text) == problems.end()) problems.push_back(std::move(problem));
    }
    return problems;
}

std::vector<Problem> find_undefined(const Settings& settings)
{
    std::vector<Problem> problems;
    std::set<std::string, std::less<>> known_undefined;
    for (const auto& name : settings.names_set()) {
        const auto* setting = settings.data().find(name);
        if (setting->at.line == 0 || (setting->parameter != nullptr && setting->parameter->kind == Kind::raw)) continue;
        for_each_name(setting->raw, [&](std::string_view used) {
            // $service_name and the like are only known while a service runs; service parameters have defaults.
            if (settings.data().find(used) != nullptr || find_parameter(used) != nullptr || find_service_parameter(used) != nullptr) return;
            // ${name?text} asks whether it is defined: whoever asks knows that it may not be.
            if (setting->raw.contains(fmt::format("{{{}?", used)) || setting->raw.contains(fmt::format("{{{}:", used))) return;
            if (!known_undefined.emplace(used).second) return;
            problems.push_back({Problem::Level::warning, setting->at, fmt::format("{}: undefined parameter: {}", setting->at.file, used)});
        });
    }
    return problems;
}

}  // namespace ekiden::config
