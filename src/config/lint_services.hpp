// What the rooms about single services share: a loop over the lines of master.cf that run one program, each with its own
// settings, and words that are almost right. Thread: any.
#pragma once

#include "config/lint_parts.hpp"
#include "config/source.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace ekiden::config {

// Calls check(own, linter) for main.cf where there is no server of `program`, else for each of its lines of master.cf with
// that line's settings. What a check says gets the place where the parameter was set in front, and is kept once.
class ServerLinter {
public:
    explicit ServerLinter(const Settings& settings) : settings_(settings) {}
    using Check = void (*)(const Settings& own, ServerLinter& linter);
    std::vector<Problem> run(Check check, std::string_view program = "smtpd");

    // "PLACE TEXT: ADVICE"; the place is that of `word`, where the parameter's value holds one that is to blame.
    void warn(const Settings& own, std::string_view parameter, std::string_view text, std::string_view advice = {},
              std::string_view word = {})
    {
        say(own, parameter, text, advice, word, Problem::Level::warning);
    }
    void refuse(const Settings& own, std::string_view parameter, std::string_view text, std::string_view advice = {},
                std::string_view word = {})
    {
        say(own, parameter, text, advice, word, Problem::Level::fatal);
    }

private:
    void say(const Settings& own, std::string_view parameter, std::string_view text, std::string_view advice,
             std::string_view word, Problem::Level level);
    const Settings& settings_;
    Source source_;
    std::vector<Problem> problems_;
};

using Words = std::initializer_list<std::string_view>;
bool is_one_of(std::string_view word, Words words);     // in any case
// "is X meant?" for the candidate that is at most two edits away, or "".
std::string is_meant(std::string_view word, Words candidates);
std::string is_meant(std::string_view nearest);

// Whether an SMTP server has TLS to offer, by the present parameters or the old ones.
bool serves_tls(const Settings& own);

// The words of *_sasl_security_options, of servers and clients; unknown ones are fatal.
void check_sasl_words(const Settings& own, ServerLinter& linter, std::string_view parameter);

}  // namespace ekiden::config
