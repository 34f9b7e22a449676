// Login settings of the SMTP servers.
#include "base/text.hpp"
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
            linter.warn(
                own, "smtpd_sasl_path",
                fmt::format(
                    "smtpd_sasl_path = {} looks like a configuration file: with smtpd_sasl_type = dovecot it is Dovecot's socket, as in private/auth",
                    path));
        return;
    }
    if (type != "cyrus") return;
    if (path.ends_with(".conf")) {
        const std::string name = path.substr(path.find_last_of('/') + 1);
        linter.warn(
            own, "smtpd_sasl_path",
            fmt::format(
                "smtpd_sasl_path = {} looks like a file name: it is the name of the application, so that Cyrus SASL reads {}.conf",
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

// Where nobody can log in the server says at run time that it leaves these out.
void check_login_maps(const Settings& own, ServerLinter& linter)
{
    if (!own.list("smtpd_sender_login_maps").empty()) return;
    for (const auto name : restriction_lists) {
        for (const auto& word : own.list(name)) {
            if (word != "reject_sender_login_mismatch" && word != "reject_authenticated_sender_login_mismatch" &&
                word != "reject_unauthenticated_sender_login_mismatch" && word != "reject_known_sender_login_mismatch")
                continue;
            linter.warn(own, name,
                        fmt::format("{} without smtpd_sender_login_maps: {}", word,
                                    word == "reject_sender_login_mismatch" ||
                                            word == "reject_authenticated_sender_login_mismatch"
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
    static constexpr Words types{"cyrus", "dovecot", "ekiden"};
    if (std::ranges::find(types, type) == types.end())
        linter.refuse(own, "smtpd_sasl_type",
                      fmt::format("smtpd_sasl_type = {}: unsupported SASL server implementation", type),
                      is_meant(type, types));
    check_sasl_words(own, linter, "smtpd_sasl_security_options");
    if (own.is_set("smtpd_sasl_tls_security_options")) check_sasl_words(own, linter, "smtpd_sasl_tls_security_options");
    check_path(own, linter, type);
    const auto level = base::lower(own.str("smtpd_tls_security_level"));
    const bool has_tls = (!level.empty() && level != "none") || own.boolean("smtpd_tls_wrappermode") ||
                         own.boolean("smtpd_use_tls") || own.boolean("smtpd_enforce_tls");
    if (own.boolean("smtpd_tls_auth_only") && !has_tls)
        linter.warn(own, own.is_set("smtpd_tls_auth_only") ? "smtpd_tls_auth_only" : "smtpd_sasl_auth_enable",
                    "smtpd_tls_auth_only = yes, and TLS is off: nobody can log in",
                    "write smtpd_tls_security_level = may");
}

}  // namespace

std::vector<Problem> lint_logins(const Settings& settings) { return ServerLinter(settings).run(check_server); }

}  // namespace ekiden::config
