// As whom this client logs in, and where: smtp_sasl_* (lmtp_sasl_*). Reading the tables and remembering refused logins
// are here; what is said to the server is in log_in.
#pragma once

#include "base/log.hpp"
#include "config/settings.hpp"
#include "net/task.hpp"
#include "sasl/mechanism.hpp"
#include "sasl/secret.hpp"
#include "smtp/reply.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::deliver::smtp {

struct Login {
    std::string user;
    sasl::Secret password;
    // Tells one login from another without telling what it is.
    std::string fingerprint() const;
    Login copy() const;
};

// How much the connection can be trusted with.
enum class Protection : std::uint8_t { none, encrypted, verified };

struct LoginOptions {
    bool is_enabled = false;
    bool is_lmtp = false;
    bool is_sender_dependent = false;     // smtp_sender_dependent_authentication
    bool says_dummy_author = false;       // smtp_send_dummy_mail_auth: MAIL has AUTH=<> after a login
    table::Maps passwords;
    std::string delimiter = ":";          // smtp_sasl_password_result_delimiter
    table::MatchList filter;              // smtp_sasl_mechanism_filter
    bool has_filter = false;
    bool takes_tokens = false;            // the filter names a mechanism for bearer tokens: then passwords are tokens
    sasl::Properties plain = 0, encrypted = 0, verified = 0;   // security options by protection
    bool names_authorization = false;     // send_cyrus_sasl_authzid
    bool is_softened = true;              // smtp_sasl_auth_soft_bounce
    std::string failures_name;            // smtp_sasl_auth_cache_name; empty: refused logins are tried again
    std::chrono::seconds failures_limit{0};
    table::Maps::AddressOptions sender_search;
    std::string own_domain;               // $myorigin
    table::MatchList own_domains;         // $mydestination

    // Throws config::ConfigError for what makes every delivery fail with Postfix.
    static LoginOptions from(const config::Settings& settings, bool is_lmtp);
    sasl::Properties security(Protection protection) const;
    // Those of `offered` that the filter lets through.
    Task<Result<std::string>> allowed_mechanisms(std::string offered) const;
};

// Which keys have an entry: by sender (where that is wanted), by the server's name, and by the next hop as it is written.
// The first of them counts. Trouble: a table failed, which has been logged.
Task<Result<std::optional<Login>>> find_login_of_sender(const LoginOptions& options, std::string sender,
                                                        const Logger* log);
Task<Result<std::optional<Login>>> find_login_of(const LoginOptions& options, std::string key, const Logger* log);

// "user:password"; without the delimiter all of it is the user.
Login parse_login(std::string value, std::string_view delimiter);

// Refused logins (535), for smtp_sasl_auth_cache_time; in memory, one for the process, at most 10,000. They know a login by
// a hash. Thread: any.
std::optional<ekiden::smtp::Reply> find_refusal(const LoginOptions& options, const std::string& host,
                                                const Login& login);
void remember_refusal(const LoginOptions& options, const std::string& host, const Login& login,
                      const ekiden::smtp::Reply& reply);

}  // namespace ekiden::deliver::smtp
