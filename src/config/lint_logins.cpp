// Login settings of the SMTP servers.
#include "base/text.hpp"
#include "config/lint_services.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

std::vector<Problem> ServerLinter::run(Check check, std::string_view program)
{
    bool has_server = false;
    for (const auto& service : settings_.services()) {
        if (service.command != program) continue;
        has_server = true;
        try {
            check(service.overrides.empty() ? settings_ : *settings_.for_service(service), *this);
        } catch (const ConfigError& error) {
            // A value of the wrong kind: what the server would stumble over.
            const std::string text = error.what();
            if (std::ranges::find(problems_, text, &Problem::text) == problems_.end()) problems_.push_back({Problem::Level::fatal, error.location, text});
        }
    }
    if (!has_server) check(settings_, *this);
    return std::move(problems_);
}

void ServerLinter::say(const Settings& own, std::string_view parameter, std::string_view text, Problem::Level level)
{
    const Location at = own.location(parameter);
    const bool is_master = at.file.ends_with("master.cf");
    std::string whole = at.line == 0 ? std::string(text) : fmt::format("{}{}line {}: {}", at.file, is_master ? ": " : ", ", at.line, text);
    if (std::ranges::find(problems_, whole, &Problem::text) == problems_.end()) problems_.push_back({level, at, std::move(whole)});
}

std::string_view nearest(std::string_view word, std::initializer_list<std::string_view> candidates)
{
    std::string_view best;
    int distance = 3;
    for (const auto candidate : candidates) {
        const int edits = base::edit_distance(base::lower(word), base::lower(candidate), distance);
        if (edits < distance) {
            distance = edits;
            best = candidate;
        }
    }
    return best;
}

namespace {

std::string or_rather(std::string_view meant) { return meant.empty() ? std::string() : fmt::format(": is {} meant?", meant); }

void check_words(const Settings& own, ServerLinter& linter, std::string_view name)
{
    static constexpr std::initializer_list<std::string_view> known{"noplaintext", "noactive", "nodictionary", "noanonymous", "mutual_auth", "forward_secrecy"};
    for (const auto& word : own.list(name)) {
        if (std::ranges::find(known, word) != known.end()) continue;
        static constexpr std::string_view wide_space = "\xe3\x80\x80";
        std::string_view rest = word;
        while (rest.starts_with(wide_space)) rest.remove_prefix(wide_space.size());
        const std::string text = fmt::format("unknown SASL security options value \"{}\" in {}", word, name);
        if (rest.size() < word.size()) linter.refuse(own, name, fmt::format("{}: a full-width space (U+3000) is part of the word: replace it by an ordinary space", text));
        else linter.refuse(own, name, text + or_rather(nearest(word, known)));
    }
}

void check_path(const Settings& own, ServerLinter& linter, const std::string& type)
{
    if (!own.is_set("smtpd_sasl_path")) return;
    const std::string path = own.str("smtpd_sasl_path");
    if (type == "dovecot") {
        if (path.ends_with(".conf"))
            linter.warn(own, "smtpd_sasl_path", fmt::format("smtpd_sasl_path = {} looks like a configuration file: with smtpd_sasl_type = dovecot it is Dovecot's socket, as in private/auth", path));
        return;
    }
    if (type != "cyrus") return;
    if (path.ends_with(".conf")) {
        const std::string name = path.substr(path.find_last_of('/') + 1);
        linter.warn(own, "smtpd_sasl_path", fmt::format("smtpd_sasl_path = {} looks like a file name: it is the name of the application, so that Cyrus SASL reads {}.conf: is {} meant?",
                                                        path, path, name.substr(0, name.size() - 5)));
    } else if (path.starts_with("private/") || path.starts_with("inet:") || path.starts_with("unix:") || path.starts_with('/'))
        linter.warn(own, "smtpd_sasl_path", fmt::format("smtpd_sasl_path = {} looks like a socket, but smtpd_sasl_type is cyrus: is smtpd_sasl_type = dovecot meant?", path));
}

constexpr std::array<std::string_view, 8> restriction_lists{
    "smtpd_client_restrictions",    "smtpd_helo_restrictions", "smtpd_sender_restrictions",      "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions", "smtpd_etrn_restrictions"};

// Where nobody can log in the server says at run time that it leaves these out.
void check_login_maps(const Settings& own, ServerLinter& linter)
{
    if (!own.list("smtpd_sender_login_maps").empty()) return;
    for (const auto name : restriction_lists) {
        for (const auto& word : own.list(name)) {
            if (word != "reject_sender_login_mismatch" && word != "reject_authenticated_sender_login_mismatch" &&
                word != "reject_unauthenticated_sender_login_mismatch" && word != "reject_known_sender_login_mismatch")
                continue;
            linter.warn(own, name, fmt::format("{} without smtpd_sender_login_maps: {}", word,
                                               word == "reject_sender_login_mismatch" || word == "reject_authenticated_sender_login_mismatch"
                                                   ? "nobody owns any address, so mail of everybody who has logged in is refused"
                                                   : "nobody owns any address, so it refuses nothing"));
        }
    }
}

void check_server(const Settings& own, ServerLinter& linter)
{
    if (!own.boolean("smtpd_sasl_auth_enable")) return;
    check_login_maps(own, linter);
    const std::string type = own.str("smtpd_sasl_type");
    static constexpr std::initializer_list<std::string_view> types{"cyrus", "dovecot", "ekiden"};
    if (std::ranges::find(types, type) == types.end())
        linter.refuse(own, "smtpd_sasl_type", fmt::format("smtpd_sasl_type = {}: unsupported SASL server implementation{}", type, or_rather(nearest(type, types))));
    check_words(own, linter, "smtpd_sasl_security_options");
    if (own.is_set("smtpd_sasl_tls_security_options")) check_words(own, linter, "smtpd_sasl_tls_security_options");
    check_path(own, linter, type);
    const auto level = base::lower(own.str("smtpd_tls_security_level"));
    const bool has_tls = (!level.empty() && level != "none") || own.boolean("smtpd_tls_wrappermode") || own.boolean("smtpd_use_tls") || own.boolean("smtpd_enforce_tls");
    if (own.boolean("smtpd_tls_auth_only") && !has_tls)
        linter.warn(own, own.is_set("smtpd_tls_auth_only") ? "smtpd_tls_auth_only" : "smtpd_sasl_auth_enable",
                    "smtpd_tls_auth_only = yes, and TLS is off: nobody can log in; write smtpd_tls_security_level = may");
}

}  // namespace

std::vector<Problem> lint_logins(const Settings& settings) { return ServerLinter(settings).run(check_server); }

}  // namespace ekiden::config
