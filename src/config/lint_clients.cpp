// Login and TLS settings of the SMTP and LMTP clients.
#include "base/text.hpp"
#include "config/lint_services.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::config {

namespace {

using Words = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view word, Words words)
{
    return std::ranges::any_of(words, [&](std::string_view w) { return base::equal_ignoring_case(w, word); });
}

std::string or_rather(std::string_view word, Words words)
{
    const auto meant = nearest(word, words);
    return meant.empty() ? std::string() : fmt::format(": is {} meant?", meant);
}

void check_login(const Settings& own, ServerLinter& linter, const std::string& prefix)
{
    const auto name = [&](std::string_view suffix) { return prefix + std::string(suffix); };
    if (!own.boolean(name("sasl_auth_enable"))) return;
    const std::string type = own.str(name("sasl_type"));
    if (type != "cyrus") linter.refuse(own, name("sasl_type"), fmt::format("{} = {}: unsupported SASL client implementation: cyrus is meant", name("sasl_type"), type));
    if (own.str(name("sasl_password_maps")).empty())
        linter.refuse(own, name("sasl_auth_enable"), fmt::format("specify a password table via the `{}' configuration parameter", name("sasl_password_maps")));
    static constexpr Words known{"noplaintext", "noactive", "nodictionary", "noanonymous", "mutual_auth", "forward_secrecy"};
    for (std::string_view suffix : {"sasl_security_options", "sasl_tls_security_options", "sasl_tls_verified_security_options"}) {
        const std::string parameter = name(suffix), value = own.str(parameter);
        if (suffix != "sasl_security_options" && !own.is_set(parameter)) continue;
        for (const auto& word : own.list(parameter)) {
            if (is_one_of(word, known)) continue;
            linter.refuse(own, parameter, fmt::format("unknown SASL security options value \"{}\" in \"{}\"{}", word, value, or_rather(word, known)));
        }
    }
}

void check_client(const Settings& own, ServerLinter& linter, const std::string& prefix)
{
    check_login(own, linter, prefix);
    static constexpr Words levels{"none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"};
    const std::string parameter = prefix + "tls_security_level", level = own.str(parameter);
    if (!level.empty() && !is_one_of(level, levels)) linter.refuse(own, parameter, fmt::format("Invalid TLS level \"{}\"{}", level, or_rather(level, levels)));
    const bool is_demanded = level.empty() ? own.boolean(prefix + "enforce_tls") : !is_one_of(level, {"none", "may", "dane"});
    if (own.boolean(prefix + "tls_wrappermode") && !is_demanded && own.str(prefix + "tls_policy_maps").empty())
        linter.warn(own, prefix + "tls_wrappermode", fmt::format("{0}tls_wrappermode requires \"{0}tls_security_level = encrypt\" (or stronger): no mail will go out", prefix));
}

}  // namespace

std::vector<Problem> lint_clients(const Settings& settings)
{
    auto problems = ServerLinter(settings).run([](const Settings& own, ServerLinter& linter) { check_client(own, linter, "smtp_"); }, "smtp");
    auto more = ServerLinter(settings).run([](const Settings& own, ServerLinter& linter) { check_client(own, linter, "lmtp_"); }, "lmtp");
    problems.insert(problems.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    return problems;
}

}  // namespace ekiden::config
