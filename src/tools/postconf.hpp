// The rooms of postconf: what the command line asks for, the entries it works on, and how they are printed.
#pragma once

#include "config/master_cf.hpp"
#include "config/settings.hpp"

#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::tools::postconf {

// Ends the command with "postconf: fatal: text" and status 1.
struct Fatal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    std::string program;  // argv[0], in front of every message
    std::string directory;
    std::string classes = "all";
    std::vector<std::pair<std::string, std::string>> overrides;
    bool shows_defaults = false, is_edit = false, folds = false, hides_names = false, hides_values = false;
    bool only_set = false, expands = false, is_removal = false, is_comment = false;
    bool is_quiet = false, is_json = false;
    char mode = 'p';  // p main.cf, M services, F fields, P service parameters
    std::vector<std::string> names;

    bool is_changing() const { return is_edit || is_removal || is_comment; }
};

void warn(const Options& options, std::string_view text);

// Prints `name = value` (or a part of it): blanks in the value become one space, long lines are folded if asked.
void print_entry(const Options& options, const std::string& name, std::string_view value);
// A master.cf entry in the columns that postconf -M and edited files have.
std::string format_service(const config::ServiceSpec& service, bool folds);
// Words that are too long for a line of 79 go to a new one that starts with four blanks.
std::string fill_line(std::string text, const std::vector<std::string_view>& words);

// What the two files say, and which names in them mean something.
struct Files {
    config::SettingsPtr settings;                 // without judging; main.cf left out for -d
    std::vector<config::ServiceSpec> services;
    std::set<std::string, std::less<>> service_names;  // smtp_destination_recipient_limit …: one set per service
    std::set<std::string, std::less<>> user_names;     // of the administrator's own, used by some value
    std::vector<std::string> undefined, unused;        // warnings about main.cf, then master.cf, complete

    bool knows(std::string_view name) const;
    std::string service_value(const Options& options, const config::ServiceSpec& service, std::string_view value) const;
};
Files read_files(const Options& options);

void list_parameters(const Options& options, const Files& files);
void list_services(const Options& options, const Files& files);
// -b (`mode`): the texts of notifications, expanded; -t: the templates as they are. Of the file named, or of bounce_template_file.
void show_templates(const Options& options, char mode);
void edit_main(const Options& options);
void edit_master(const Options& options);

// master.cf as postconf accepts it: entries that Postfix's daemons would refuse are kept, but not other column counts.
std::vector<config::ServiceSpec> read_services(const Options& options);
config::ServiceSpec parse_service(const std::string& text, const std::string& path);
void check_field(std::string_view field, std::string_view value, std::string_view context);

// Replaces the file in one step: NAME.tmp is written, synced and renamed.
void replace_config_file(const std::string& path, const std::string& content);

// A file as physical lines, each with the entry (logical line) it belongs to: -1 for comments and empty lines.
struct Line {
    std::string text;  // without newline
    int entry = -1;
};
std::vector<Line> read_lines(const std::string& path, std::vector<std::string>& entries);

}  // namespace ekiden::tools::postconf
