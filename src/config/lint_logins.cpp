// Login settings of the SMTP servers.
#include "config/lint_services.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

namespace {

void check_path(const Settings& own, ServerLinter& linter, const std::string& type)
{
    if (!own.is_set("smtpd_sasl_path")) return;
    const std::string path = own.str("smtpd_sasl_path");
    if (type == "dovecot") {
        if (path.ends_with(".conf"))
            linter.warn(own, "smtpd_sasl_path",
                        fmt::format("smtpd_sasl_path = {} looks like a configuration file: with smtpd_sasl_type = "
                                    "dovecot it is Dovecot's socket, as in private/auth",
                                    path));
        return;
    }
    if (type != "cyrus") return;
    if (path.ends_with(".conf")) {
        const std::string name = path.substr(path.find_last_of('/') + 1);
        linter.warn(own, "smtpd_sasl_path",
                    fmt::format("smtpd_sasl_path = {} looks like a file name: it is the name of the application, so "
                                "that Cyrus SASL reads {}.conf",
                                path, path),
                    is_meant(std::string_view(name).substr(0, name.size() - 5)));
    } else if (path.starts_with("private/") || path.starts_with("inet:") || path.starts_with("unix:") ||
               path.starts_with('/'))
        linter.warn(own, "smtpd_sasl_path",
                    fmt::format("smtpd_sasl_path = {} looks like a socket, but smtpd_sasl_type is cyrus", path),
                    is_meant("smtpd_sasl_type = dovecot"));
}

constexpr std::array<std::string_view, 8> restriction_lists{
    "smtpd_client_restrictions",      "smtpd_helo_restrictions",      "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",       "smtpd_recipient_restrictions", "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions", "smtpd_etrn_restrictions"};

constexpr std::array<std::string_view, 4> login_restrictions{
    "reject_sender_login_mismatch", "reject_authenticated_sender_login_mismatch",
    "reject_unauthenticated_sender_login_mismatch", "reject_known_sender_login_mismatch"};

bool is_about_logins(std::string_view word)
{
    return std::ranges::find(login_restrictions, word) != login_restrictions.end();
}

void check_login_maps(const Settings& own, ServerLinter& linter)
{
    if (!own.list("smtpd_sender_login_maps").empty()) return;
    for (const auto name : restriction_lists) {
        for (const auto& word : own.list(name)) {
            if (!is_about_logins(word)) continue;
            linter.warn(own, name,
                        fmt::format("{} without smtpd_sender_login_maps: {}", word,
                                    word == "reject_sender_login_mismatch" ||
                                            word == "reject_authenticated_sender_login_mismatch"
                                        ? "nobody owns any address, so mail of everybody who has logged in is refused"
                                        : "nobody owns any address, so it refuses nothing"));
        }
    }
}

bool permits_logins(const Settings& own, std::string_view list)
{
    const auto words = own.list(list);
    return std::ranges::find(words, "permit_sasl_authenticated") != words.end();
}

// main.cf's lists are for ports with logins and without. One that was written for this line is not.
void check_lists_for_logins(const Settings& own, ServerLinter& linter)
{
    for (const auto name : restriction_lists)
        if (own.location(name).file.ends_with("master.cf") && permits_logins(own, name))
            linter.warn(own, name,
                        fmt::format("{} has permit_sasl_authenticated, but nobody can log in at this port", name),
                        "add -o smtpd_sasl_auth_enable=yes");
}

// Lists that are carried out before anybody can have logged in.
void check_early_lists(const Settings& own, ServerLinter& linter)
{
    if (own.boolean("smtpd_delay_reject")) return;
    for (const std::string_view name : {"smtpd_client_restrictions", "smtpd_helo_restrictions"})
        if (permits_logins(own, name))
            linter.warn(
                own, name,
                fmt::format("permit_sasl_authenticated in {} permits nobody while smtpd_delay_reject = no", name),
                "write smtpd_delay_reject = yes, or use smtpd_relay_restrictions");
}

void check_server(const Settings& own, ServerLinter& linter)
{
    if (!own.boolean("smtpd_sasl_auth_enable")) {
        check_lists_for_logins(own, linter);
        return;
    }
    check_login_maps(own, linter);
    check_early_lists(own, linter);
    const std::string type = own.str("smtpd_sasl_type");
    static constexpr Words types{"cyrus", "dovecot", "ekiden"};
    if (std::ranges::find(types, type) == types.end())
        linter.refuse(own, "smtpd_sasl_type",
                      fmt::format("smtpd_sasl_type = {}: unsupported SASL server implementation", type),
                      is_meant(type, types));
    check_sasl_words(own, linter, "smtpd_sasl_security_options");
    if (own.is_set("smtpd_sasl_tls_security_options")) check_sasl_words(own, linter, "smtpd_sasl_tls_security_options");
    check_path(own, linter, type);
    if (own.boolean("smtpd_tls_auth_only") && !serves_tls(own))
        linter.warn(own, own.is_set("smtpd_tls_auth_only") ? "smtpd_tls_auth_only" : "smtpd_sasl_auth_enable",
                    "smtpd_tls_auth_only = yes, and TLS is off: nobody can log in",
                    "write smtpd_tls_security_level = may");
}

// The server says at run time that it leaves these out. A site that has logins at another port may mean it.
void check_without_logins(const Settings& own, ServerLinter& linter)
{
    check_lists_for_logins(own, linter);
    for (const auto name : restriction_lists)
        for (const auto& word : own.list(name))
            if (is_about_logins(word))
                linter.warn(own, name, fmt::format("{} does nothing, because nobody can log in", word),
                            "write smtpd_sasl_auth_enable = yes, or remove it");
}

bool lets_somebody_log_in(const Settings& settings)
{
    if (settings.boolean("smtpd_sasl_auth_enable")) return true;
    return std::ranges::any_of(settings.services(), [](const ServiceSpec& service) {
        return std::ranges::find(service.overrides, "smtpd_sasl_auth_enable",
                                 &std::pair<std::string, std::string>::first) != service.overrides.end();
    });
}

} // namespace

std::vector<Problem> lint_logins(const Settings& settings)
{
    return ServerLinter(settings).run(lets_somebody_log_in(settings) ? check_server : check_without_logins);
}

} // namespace ekiden::config
