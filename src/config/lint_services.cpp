#include "config/lint_services.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

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
            add_once(problems_, {Problem::Level::fatal, error.location, error.what()});
        }
    }
    if (!has_server) check(settings_, *this);
    return std::move(problems_);
}

void ServerLinter::say(const Settings& own, std::string_view parameter, std::string_view text, std::string_view advice,
                       std::string_view word, Problem::Level level)
{
    // A default stands nowhere.
    const Location at = own.location(parameter).line == 0 ? Location{} : source_.find(own.location(parameter), word);
    add_once(problems_, make_problem(level, at, text, parameter, advice));
}

bool is_one_of(std::string_view word, Words words)
{
    return std::ranges::any_of(words, [&](std::string_view other) { return base::equal_ignoring_case(other, word); });
}

std::string is_meant(std::string_view nearest)
{
    return nearest.empty() ? std::string() : fmt::format("is {} meant?", nearest);
}

std::string is_meant(std::string_view word, Words candidates)
{
    return is_meant(base::nearest(word, candidates, 2));
}

bool serves_tls(const Settings& own)
{
    const auto level = own.str("smtpd_tls_security_level");
    return (!level.empty() && !base::equal_ignoring_case(level, "none")) || own.boolean("smtpd_tls_wrappermode") ||
           own.boolean("smtpd_use_tls") || own.boolean("smtpd_enforce_tls");
}

void check_sasl_words(const Settings& own, ServerLinter& linter, std::string_view parameter)
{
    static constexpr Words known{"noplaintext", "noactive",    "nodictionary",
                                 "noanonymous", "mutual_auth", "forward_secrecy"};
    for (const auto& word : own.list(parameter)) {
        if (is_one_of(word, known)) continue;
        linter.refuse(own, parameter, fmt::format("unknown SASL security options value \"{}\" in {}", word, parameter),
                      is_meant(without_odd_ends(word), known), word);
    }
}

}  // namespace ekiden::config
