// How postfix(1) says what it finds wrong with a configuration: to people on standard error, to programs as JSON, and
// where nobody watches to the log, in Postfix's words where Postfix has words for it. One thread.
#pragma once

#include "config/unreadable.hpp"
#include "daemon/check_settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::daemon::postfix {

// How `check` says what it found: to people on standard error, or one JSON object a line on standard output; and
// whether the whole proof about relaying is told, too.
struct CheckStyle {
    bool is_json = false, is_verbose = false;
    bool has_hints = true;         // false: faults, and what Postfix prints; for who is no person
    bool has_postconf = true;      // ... of postconf, too
    bool names_place = false;      // of a fault that keeps main.cf from being read
    bool reads_entries = false;    // of the tables, all of them

    Hints hints() const { return reads_entries ? Hints::of_entries : Hints::yes; }
};

// `start` and `reload` give their hints to a person; what runs them unseen gets Postfix's lines and no others.
bool is_watched();
// Of the word on the command line: it looks at the whole configuration, and what keeps it from running is said wherever
// it is run.
bool looks_at_all(std::string_view word);

// The fault, and its place on a line of its own where the text names neither the file nor the parameter. `always`: in
// any case, for who reloads has changed something just now, and who says -v wants to know.
void print_fatal(const config::ConfigError& error, bool always = false, const std::string& advice = {});
// The same of one of several.
void print_unreadable(const config::Problem& problem, bool always);
// Prints what was found; false when something is fatal.
bool print_findings(const std::vector<config::Problem>& problems, const std::string& program, const CheckStyle& style);
void print_trouble(const std::string& text, const CheckStyle& style);
// What else is wrong, as if what can be read were all: faults in any case, or who mends one would hear of the next only
// then.
std::vector<config::Problem> find_in_rest(const config::Unreadable& found, const std::string& directory,
                                          const CheckStyle& style);
// What keeps every command from reading main.cf: those that look at the whole of it name all, with what else stops the
// start; the others what they met first, as Postfix does.
void report_unreadable(const config::ConfigError& error, const std::string& directory, std::string_view word,
                       const CheckStyle& style);

}  // namespace ekiden::daemon::postfix
