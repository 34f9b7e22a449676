// Login and TLS settings of the SMTP and LMTP clients.
#include "base/text.hpp"
#include "config/lint_services.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::config {

namespace {

void check_login(const Settings& own, ServerLinter& linter, const std::string& prefix)
{
    const auto name = [&](std::string_view suffix) { return prefix + std::string(suffix); };
    if (!own.boolean(name("sasl_auth_enable"))) return;
    const std::string type = own.str(name("sasl_type"));
    if (type != "cyrus")
        linter.refuse(own, name("sasl_type"),
                      fmt::format("{} = {}: unsupported SASL client implementation", name("sasl_type"), type),
                      "write cyrus");
    if (own.str(name("sasl_password_maps")).empty())
        linter.refuse(
            own, name("sasl_auth_enable"),
            fmt::format("specify a password table via the `{}' configuration parameter", name("sasl_password_maps")));
    check_sasl_words(own, linter, name("sasl_security_options"));
    for (std::string_view suffix : {"sasl_tls_security_options", "sasl_tls_verified_security_options"})
        if (own.is_set(name(suffix))) check_sasl_words(own, linter, name(suffix));
}

void check_client(const Settings& own, ServerLinter& linter, const std::string& prefix)
{
    check_login(own, linter, prefix);
    static constexpr Words levels{"none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"};
    const std::string parameter = prefix + "tls_security_level", level = own.str(parameter);
    if (!level.empty() && !is_one_of(level, levels))
        linter.refuse(own, parameter, fmt::format("Invalid TLS level \"{}\"", level), is_meant(level, levels));
    const bool is_demanded =
        level.empty() ? own.boolean(prefix + "enforce_tls") : !is_one_of(level, {"none", "may", "dane"});
    if (own.boolean(prefix + "tls_wrappermode") && !is_demanded && own.str(prefix + "tls_policy_maps").empty())
        linter.warn(
            own, prefix + "tls_wrappermode",
            fmt::format(
                "{0}tls_wrappermode requires \"{0}tls_security_level = encrypt\" (or stronger): no mail will go out",
                prefix));
}

}  // namespace

std::vector<Problem> lint_clients(const Settings& settings)
{
    auto problems = ServerLinter(settings).run(
        [](const Settings& own, ServerLinter& linter) { check_client(own, linter, "smtp_"); }, "smtp");
    auto more = ServerLinter(settings).run(
        [](const Settings& own, ServerLinter& linter) { check_client(own, linter, "lmtp_"); }, "lmtp");
    problems.insert(problems.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    return problems;
}

}  // namespace ekiden::config
