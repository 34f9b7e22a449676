// What the lines of master.cf and the login and TLS settings of the SMTP servers say that is probably not meant. Parts
// of lint(), with its promises: every text names file and line, and no setting is changed. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace ekiden::config {

// -o entries that the program of the line does not read, names that nobody knows, and (fatal) a cleanup service that is
// not there.
std::vector<Problem> lint_overrides(const Settings& settings);

// Of every SMTP server, with its own -o entries: words that do not exist, files that are not there, and settings that
// only make sense with others. Fatal where Postfix's server dies of it (decision 3), else a warning. Looks into the
// certificate files, so it may block.
std::vector<Problem> lint_words(const Settings& settings);
std::vector<Problem> lint_logins(const Settings& settings);
std::vector<Problem> lint_tls(const Settings& settings);
std::vector<Problem> lint_clients(const Settings& settings);    // logins and TLS at other servers

// Calls check(own, linter) for main.cf where there is no server of `program`, else for each of its lines of master.cf with
// that line's settings. What a check says gets the place where the parameter was set in front, and is kept once.
class ServerLinter {
public:
    explicit ServerLinter(const Settings& settings) : settings_(settings) {}
    using Check = void (*)(const Settings& own, ServerLinter& linter);
    std::vector<Problem> run(Check check, std::string_view program = "smtpd");

    void warn(const Settings& own, std::string_view parameter, std::string_view text) { say(own, parameter, text, Problem::Level::warning); }
    void refuse(const Settings& own, std::string_view parameter, std::string_view text) { say(own, parameter, text, Problem::Level::fatal); }

private:
    void say(const Settings& own, std::string_view parameter, std::string_view text, Problem::Level level);
    const Settings& settings_;
    std::vector<Problem> problems_;
};

// "is X meant?" for the candidate that is at most two edits away, or nothing.
std::string_view nearest(std::string_view word, std::initializer_list<std::string_view> candidates);

}  // namespace ekiden::config
