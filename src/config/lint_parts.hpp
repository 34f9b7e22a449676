// The parts of lint(), each with its promises: every text names file and line, and no setting is changed. One fault is
// looked for in one of them. For lint(), for who looks for other problems, and for tests. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::config {

// Names that nobody knows, comments and whole entries that became part of a value, folders that are not there.
std::vector<Problem> lint_names(const Settings& settings);
// Restrictions that do not exist, that need an argument, that are never reached or stand there twice.
std::vector<Problem> lint_restrictions(const Settings& settings);
// Lists that ask strangers for a login where mail of other servers shall come in.
std::vector<Problem> lint_inbound(const Settings& settings);
// Domains that are written in two places, and names of this machine that nobody can answer to.
std::vector<Problem> lint_domains(const Settings& settings);
// Services that parameters name and master.cf does not have, services that nothing names, and mail that comes back to
// where it was sent from.
std::vector<Problem> lint_routes(const Settings& settings);

// -o entries that the program of the line does not read, names that nobody knows, and (fatal) a cleanup service that is
// not there.
std::vector<Problem> lint_overrides(const Settings& settings);

// -o entries below a line that was made a comment: they belong to the service above it without a word.
std::vector<Problem> lint_commented(const Settings& settings);

// Of every SMTP server, with its own -o entries: words that do not exist, files that are not there, and settings that
// only make sense with others. Fatal where Postfix's server dies of it (decision 3), else a warning. Looks into the
// certificate files, so it may block.
std::vector<Problem> lint_words(const Settings& settings);
std::vector<Problem> lint_logins(const Settings& settings);
std::vector<Problem> lint_tls(const Settings& settings);
std::vector<Problem> lint_clients(const Settings& settings);    // logins and TLS at other servers

// Characters that only look like those of the configuration. `word` is the one that holds it: a message that quotes that
// word is explained by this one.
struct OddCharacter {
    Problem problem;
    std::string word;
};
std::vector<OddCharacter> lint_characters(const std::string& directory);
bool has_odd_character(std::string_view word);
// What is left of a word without such characters, and others that are not ASCII, at its ends.
std::string_view without_odd_ends(std::string_view word);

// Unless there is one with the same text.
void add_once(std::vector<Problem>& problems, Problem problem);

// What values and master.cf mention by `$name`, restriction classes included: names of the administrator's own.
bool is_mentioned(const Settings& settings, std::string_view name);
// The parameter that is at most three edits away, or "".
std::string_view nearest_parameter(std::string_view name);

}  // namespace ekiden::config
