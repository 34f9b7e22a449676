#include "deliver/smtp/login.hpp"

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "base/text.hpp"
#include "mail/address.hpp"
#include "sasl/client_token.hpp"
#include "sasl/cyrus_client.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <unordered_map>

namespace ekiden::deliver::smtp {

namespace {

constexpr std::size_t most_refusals = 10'000;

struct Refusal {
    ekiden::smtp::Reply reply;
    SteadyTime until{};
};

base::Locked<std::unordered_map<std::string, Refusal>>& refusals()
{
    static base::Locked<std::unordered_map<std::string, Refusal>> all;
    return all;
}

std::string refusal_key(const LoginOptions& options, const std::string& host, const Login& login)
{
    return options.failures_name + '\0' + base::lower(host) + '\0' + login.fingerprint();
}

sasl::Properties security_options(const config::Settings& settings, const std::string& name)
{
    const std::string text = settings.str(name);
    auto properties = sasl::parse_security_options(text);
    if (properties) return *properties;
    throw config::ConfigError(
        fmt::format("unknown SASL security options value \"{}\" in \"{}\"", properties.error().text(), text),
        settings.location(name));
}

// Leaves nothing of the password where it was.
Login take_login(const LoginOptions& options, std::string& value)
{
    Login login = parse_login(value, options.delimiter);
    sasl::wipe(value);
    return login;
}

}  // namespace

std::string Login::fingerprint() const
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    sasl::Secret all;
    all.buffer().reserve(user.size() + 1 + password.size());
    all.buffer().append(user).append(1, '\0').append(password.view());
    EVP_Digest(all.view().data(), all.size(), digest.data(), &size, EVP_sha256(), nullptr);
    return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

Login Login::copy() const { return {user, sasl::Secret(password.view())}; }

Login parse_login(std::string value, std::string_view delimiter)
{
    Login login;
    const auto end = value.find(delimiter);
    login.user = value.substr(0, end);
    if (end != value.npos) login.password = sasl::Secret(std::string_view(value).substr(end + delimiter.size()));
    sasl::wipe(value);
    return login;
}

LoginOptions LoginOptions::from(const config::Settings& settings, bool is_lmtp)
{
    const auto name = [&](std::string_view suffix) { return (is_lmtp ? "lmtp_" : "smtp_") + std::string(suffix); };
    LoginOptions o;
    o.is_lmtp = is_lmtp;
    o.is_enabled = settings.boolean(name("sasl_auth_enable"));
    if (!o.is_enabled) return o;

    const auto refuse = [&](const std::string& parameter, const std::string& text) {
        throw config::ConfigError(text, settings.location(parameter));
    };
    const std::string type = settings.str(name("sasl_type"));
    if (type != "cyrus")
        refuse(name("sasl_type"),
               fmt::format("{} = {}: unsupported SASL client implementation: cyrus is meant", name("sasl_type"), type));
    const std::string tables = settings.str(name("sasl_password_maps"));
    if (tables.empty())
        refuse(name("sasl_auth_enable"), fmt::format("specify a password table via the `{}' configuration parameter",
                                                     name("sasl_password_maps")));
    o.passwords = table::Maps::open(name("sasl_password_maps"), tables);
    o.delimiter = settings.str(name("sasl_password_result_delimiter"));
    o.is_sender_dependent = settings.boolean(name("sender_dependent_authentication"));
    o.says_dummy_author = settings.boolean(name("send_dummy_mail_auth"));
    o.sender_search.recipient_delimiter = settings.str("recipient_delimiter");
    o.own_domain = settings.str("myorigin");
    o.own_domains =
        table::MatchList::open("mydestination", settings.str("mydestination"), table::MatchList::Kind::names);

    const std::string filter = settings.str(name("sasl_mechanism_filter"));
    o.has_filter = !filter.empty();
    o.filter = table::MatchList::open(name("sasl_mechanism_filter"), filter, table::MatchList::Kind::names);
    for (const std::string& word : settings.list(name("sasl_mechanism_filter"))) {
        if (sasl::token_mechanism(word).empty()) continue;
        // Who has a plug-in of libsasl2 for it means that one.
        o.takes_tokens = !sasl::cyrus_client_knows(word);
    }
    o.plain = security_options(settings, name("sasl_security_options"));
    o.encrypted = security_options(settings, name("sasl_tls_security_options"));
    o.verified = security_options(settings, name("sasl_tls_verified_security_options"));
    o.names_authorization = settings.boolean("send_cyrus_sasl_authzid");
    o.is_softened = settings.boolean(name("sasl_auth_soft_bounce"));
    o.failures_name = settings.str(name("sasl_auth_cache_name"));
    o.failures_limit = settings.time(name("sasl_auth_cache_time"));
    if (auto opened = sasl::open_cyrus_client(); !opened) refuse(name("sasl_auth_enable"), opened.error().text());
    return o;
}

sasl::Properties LoginOptions::security(Protection protection) const
{
    switch (protection) {
    case Protection::none: return plain;
    case Protection::encrypted: return encrypted;
    case Protection::verified: return verified;
    }
    return plain;
}

Task<Result<std::string>> LoginOptions::allowed_mechanisms(std::string offered) const
{
    std::string allowed;
    for (std::string_view word : base::split_any(offered, " \t")) {
        if (has_filter) {
            EKIDEN_CO_TRY_VALUE(is_allowed, co_await filter.matches_name(std::string(word)));
            if (!is_allowed) continue;
        }
        if (!allowed.empty()) allowed += ' ';
        allowed += word;
    }
    co_return allowed;
}

Task<Result<std::optional<Login>>> find_login_of_sender(const LoginOptions& options, std::string sender,
                                                        const Logger* log)
{
    if (!options.is_sender_dependent || sender.empty()) co_return std::nullopt;
    table::Maps::AddressOptions search = options.sender_search;
    const std::string domain(mail::split_address(sender).domain);
    search.is_local_domain = base::equal_ignoring_case(domain, options.own_domain);
    if (!search.is_local_domain) {
        EKIDEN_CO_TRY_VALUE(is_own, co_await options.own_domains.matches_name(domain));
        search.is_local_domain = is_own;
    }
    EKIDEN_CO_TRY_VALUE(found, co_await options.passwords.find_address(std::move(sender), search, log));
    if (!found) co_return std::nullopt;
    co_return take_login(options, found->value);
}

Task<Result<std::optional<Login>>> find_login_of(const LoginOptions& options, std::string key, const Logger* log)
{
    EKIDEN_CO_TRY_VALUE(found, co_await options.passwords.find(std::move(key), log));
    if (!found) co_return std::nullopt;
    co_return take_login(options, *found);
}

std::optional<ekiden::smtp::Reply> find_refusal(const LoginOptions& options, const std::string& host,
                                                const Login& login)
{
    if (options.failures_name.empty()) return std::nullopt;
    auto all = refusals().lock();
    const auto at = all->find(refusal_key(options, host, login));
    if (at == all->end()) return std::nullopt;
    if (at->second.until > base::steady_now()) return at->second.reply;
    all->erase(at);
    return std::nullopt;
}

void remember_refusal(const LoginOptions& options, const std::string& host, const Login& login,
                      const ekiden::smtp::Reply& reply)
{
    if (options.failures_name.empty() || reply.code != 535) return;
    auto all = refusals().lock();
    if (all->size() >= most_refusals) all->clear();
    all->insert_or_assign(refusal_key(options, host, login),
                          Refusal{reply, base::steady_now() + options.failures_limit});
}

}  // namespace ekiden::deliver::smtp
