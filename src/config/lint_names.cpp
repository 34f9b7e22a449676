// Names that nobody knows, and text that became part of a value by accident.
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "config/expand.hpp"
#include "config/lint.hpp"
#include "config/lint_services.hpp"
#include "config/snapshot.hpp"
#include "config/source.hpp"
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
    std::string_view advice_for_no = {};    // where it is a switch that is off
};
constexpr std::array obsolete_names{
    Obsolete{"smtpd_sasl_application_name", "it is called smtpd_sasl_path since Postfix 2.3"},
    Obsolete{"smtp_use_tls", "write smtp_tls_security_level = may", "the line can go"},
    Obsolete{"smtpd_use_tls", "write smtpd_tls_security_level = may", "the line can go"},
    Obsolete{"lmtp_use_tls", "write lmtp_tls_security_level = may", "the line can go"},
    Obsolete{"smtp_enforce_tls", "write smtp_tls_security_level = encrypt", "the line can go"},
    Obsolete{"smtpd_enforce_tls", "write smtpd_tls_security_level = encrypt", "the line can go"},
    Obsolete{"lmtp_enforce_tls", "write lmtp_tls_security_level = encrypt", "the line can go"},
    Obsolete{"smtp_tls_per_site", "use smtp_tls_policy_maps"},
    Obsolete{"fallback_relay", "it is called smtp_fallback_relay since Postfix 2.3"},
    Obsolete{"virtual_maps", "it is called virtual_alias_maps since Postfix 2.0"},
    Obsolete{"authorized_verp_clients", "it is called smtpd_authorized_verp_clients since Postfix 2.0"},
    Obsolete{"smtpd_client_connection_limit_exceptions",
             "it is called smtpd_client_event_limit_exceptions since Postfix 2.2"},
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

using Names = std::set<std::string, std::less<>>;

Names find_mentions(const Settings& settings)
{
    Names result;
    const auto mention = [&](std::string_view name) { result.emplace(name); };
    for (const auto& name : settings.names_set()) for_each_name(settings.raw(name), mention);
    for (const auto& service : settings.services()) {
        for (const auto& [name, value] : service.overrides) for_each_name(value, mention);
        for (const auto& word : service.raw_arguments) for_each_name(word, mention);
    }
    for (const auto& word : settings.list("smtpd_restriction_classes")) result.insert(word);
    return result;
}

class NameLinter {
public:
    explicit NameLinter(const Settings& settings) : settings_(settings), mentioned_(find_mentions(settings)) {}

    std::vector<Problem> run()
    {
        find_table_sources();
        for (const auto& name : settings_.names_set()) {
            const auto* setting = settings_.data().find(name);
            if (setting->at.line == 0) continue;
            check_name(name, *setting);
            check_comment(name, *setting);
            check_continuation(name, *setting);
            if (name == "mail_spool_directory") check_folder(name, *setting);
        }
        return std::move(problems_);
    }

private:
    void add(const Location& at, std::string_view parameter, std::string_view text, std::string_view advice = {})
    {
        problems_.push_back(make_problem(Problem::Level::warning, at, text, parameter, advice));
    }

    void find_table_sources()
    {
        for (const auto& name : settings_.names_set())
            for (auto word : base::split_any(settings_.data().find(name)->expanded)) {
                if (word.starts_with("proxy:")) word.remove_prefix(6);
                if (const auto colon = word.find(':'); colon != std::string_view::npos)
                    sources_.emplace(word.substr(colon + 1));
            }
    }

    // Of a transport: master.cf has it, or values name it, as destinations of a transport table may.
    bool is_service_parameter(std::string_view service) const
    {
        return settings_.services().empty() ||
               std::ranges::find(settings_.services(), service, &ServiceSpec::name) != settings_.services().end();
    }
    // `<source>_hosts` and the like of a table whose source is not a file.
    bool is_table_parameter(std::string_view name) const
    {
        return std::ranges::any_of(sources_, [&](const std::string& source) {
            return name.size() > source.size() + 1 && name.starts_with(source) && name[source.size()] == '_';
        });
    }

    // In Postfix's words where Postfix does not know the name either: there are those who look for them.
    void check_name(const std::string& name, const Setting& setting)
    {
        const bool is_unknown = setting.parameter == nullptr || setting.parameter->is_obsolete();
        const std::string what = is_unknown ? fmt::format("unused parameter: {}={}", name, setting.raw)
                                            : fmt::format("{} is obsolete", name);
        const auto old = std::ranges::find(obsolete_names, name, &Obsolete::name);
        if (old != obsolete_names.end()) {
            const bool is_off = !old->advice_for_no.empty() && parse_boolean(setting.expanded) == false;
            return add(setting.at, name, what, is_off ? old->advice_for_no : old->advice);
        }
        if (setting.parameter != nullptr && setting.parameter->is_obsolete())
            return add(setting.at, name, what,
                       setting.parameter->reason.empty() ? "no release of Postfix reads it any more"
                                                         : setting.parameter->reason);
        if (setting.parameter != nullptr || mentioned_.contains(name) || is_table_parameter(name)) return;
        std::string_view service;
        if (find_service_parameter(name, &service) != nullptr) {
            if (!is_service_parameter(service))
                add(setting.at, name, what, fmt::format("master.cf has no service \"{}\"", service));
            return;
        }
        add(setting.at, name, what, is_meant(nearest_parameter(name)));
    }

    void check_folder(const std::string& name, const Setting& setting)
    {
        std::error_code trouble;
        if (!std::filesystem::is_directory(setting.expanded, trouble))
            add(setting.at, name,
                fmt::format("{} = {}: there is no such folder, so mail that goes there will come back", name,
                            setting.expanded));
    }

    void check_comment(const std::string& name, const Setting& setting)
    {
        const auto& value = setting.raw;
        for (auto at = value.find('#'); at != std::string::npos; at = value.find('#', at + 1))
            if (at == 0 || base::is_space(value[at - 1])) {
                const std::string_view comment = std::string_view(value).substr(at);
                // A value that goes on in the next line: the comment ends with its own.
                const auto place = source_.find(
                    setting.at, comment.substr(0, std::min<std::size_t>(comment.find_first_of("\t\n", 1), 20)));
                return add(place, name, fmt::format("\"{}\" is part of the value of {}", comment, name),
                           "a comment must have a line of its own");
            }
    }

    // A line that begins with blanks continues the one before: `name = value` there was meant as an entry.
    void check_continuation(const std::string& name, const Setting& setting)
    {
        // Values that hold assignments by their nature.
        if (name == "debugger_command" || name == "import_environment" || name == "export_environment") return;
        const auto words = base::split_any(setting.raw, " \t");
        for (std::size_t i = 1; i < words.size(); ++i) {
            const auto word = words[i];
            const auto equals = word.find('=');
            const auto candidate = word.substr(0, equals);
            const bool is_assignment =
                equals != std::string_view::npos ? equals > 0 : i + 1 < words.size() && words[i + 1].starts_with('=');
            if (!is_assignment || find_parameter(candidate) == nullptr) continue;
            const auto place = source_.find(setting.at, candidate);
            // On the parameter's own line it is no continuation, but two entries in one line.
            if (place.line == setting.at.line)
                add(place, name, fmt::format("\"{} = …\" is part of the value of {}", candidate, name),
                    "move it to a line of its own");
            else
                add(place, name,
                    fmt::format("\"{} = …\" is part of the value of {}, because its line begins with a blank",
                                candidate, name),
                    "move it to the start of the line");
        }
    }

    const Settings& settings_;
    Source source_;
    std::vector<Problem> problems_;
    Names mentioned_, sources_;
};

}  // namespace

bool is_mentioned(const Settings& settings, std::string_view name) { return find_mentions(settings).contains(name); }

std::string_view nearest_parameter(std::string_view name)
{
    base::Nearest nearest(name, 3);
    for (const auto& row : all_parameters())
        if (!row.is_obsolete()) nearest.look_at(row.name);
    return nearest.best();
}

std::vector<Problem> find_unused(const Settings& settings)
{
    std::vector<Problem> problems;
    for (auto& problem : NameLinter(settings).run()) {
        const auto* setting = settings.data().find(problem.parameter);
        const auto what = setting == nullptr ? std::string()
                                             : fmt::format("unused parameter: {}={}", problem.parameter, setting->raw);
        if (setting == nullptr || !problem.text.contains(what)) continue;
        problem.text = fmt::format("{}: {}", problem.at.file, what);
        problem.advice.clear();
        problems.push_back(std::move(problem));
    }
    return problems;
}

std::vector<Problem> lint_names(const Settings& settings) { return NameLinter(settings).run(); }

}  // namespace ekiden::config
