#include "base/text.hpp"
#include "config/lint_services.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

namespace {

// Of every interface, or what stands behind one that is: an address in front of the port may be one of an inner network.
bool is_for_the_internet(const Settings& settings, const ServiceSpec& service)
{
    if (service.command != "smtpd") return false;
    if (service.type == "pass") return true;
    if (service.type != "inet" || (service.name != "smtp" && service.name != "25")) return false;
    const auto interfaces = settings.list("inet_interfaces");
    return !std::ranges::all_of(interfaces, [](std::string_view word) {
        return word == "loopback-only" || word == "localhost" || word.starts_with("127.") || word == "[::1]" ||
               word == "::1";
    });
}

// Whether mail from elsewhere is wanted at all: many a server only sends, and has its own name as a destination by default.
bool has_domains(const Settings& settings)
{
    for (const auto name : {"virtual_mailbox_domains", "virtual_alias_domains"})
        if (settings.is_set(name) && !settings.list(name).empty()) return true;
    if (!settings.is_set("mydestination")) return false;
    const auto words = settings.list("mydestination");
    const std::string own = settings.str("myhostname");
    return std::ranges::any_of(words, [&](std::string_view word) {
        return word.contains('.') && !word.contains('/') && !word.starts_with('!') && !word.starts_with("localhost.") &&
               !base::equal_ignoring_case(word, own);
    });
}

// Logins, and nothing else that could let mail in: a gateway or fetchmail may be in mynetworks, or have a certificate.
bool wants_logins_only(const std::vector<std::string>& words)
{
    return words.size() >= 2 && words.back() == "reject" &&
           std::all_of(words.begin(), words.end() - 1,
                       [](const std::string& word) { return word == "permit_sasl_authenticated"; });
}

}  // namespace

std::vector<Problem> lint_inbound(const Settings& settings)
{
    static constexpr std::array<std::string_view, 3> lists{"smtpd_client_restrictions", "smtpd_relay_restrictions",
                                                           "smtpd_recipient_restrictions"};
    std::vector<Problem> problems;
    Source source;
    if (!has_domains(settings)) return problems;
    for (const auto& service : settings.services()) {
        if (!is_for_the_internet(settings, service)) continue;
        for (const auto name : lists) {
            // What was written for this very line is meant.
            const bool is_own = std::ranges::find(service.overrides, name, [](const auto& entry) {
                                    return std::string_view(entry.first);
                                }) != service.overrides.end();
            if (is_own || settings.location(name).line == 0 || !wants_logins_only(settings.list(name))) continue;
            problems.push_back(make_problem(
                Problem::Level::warning, source.find(settings.location(name), "reject"),
                fmt::format("{} refuses everybody who has not logged in, and holds for service {} {} (line {} of "
                            "master.cf) too, so no other server can deliver mail for your domains",
                            name, service.name, service.type, service.line),
                name,
                fmt::format("write it as -o {}=permit_sasl_authenticated,reject below the lines for logins in "
                            "master.cf, and {} here",
                            name,
                            name == "smtpd_client_restrictions" ? "remove it" : "reject_unauth_destination for reject")));
        }
    }
    return problems;
}

}  // namespace ekiden::config
