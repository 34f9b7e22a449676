// The words of notifications (bounce(5)): built-in ones, and those of $bounce_template_file on top. Immutable.
#pragma once

#include "base/result.hpp"
#include "config/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::report {

struct Template {
    std::string name;                    // "failure"
    std::string origin = "[built-in]";   // the file it is from, for warnings
    std::string charset = "us-ascii";
    std::string from = "MAILER-DAEMON (Mail Delivery System)";
    std::string subject, postmaster_subject;
    std::string text;                    // with $parameters, final newline included
};

struct Templates {
    Template failure, delay, success, verify;

    // Built-in words.
    static Templates standard();
    // Reads a template file over `base`; an error says file, line and what is wrong. Pure.
    static Result<Templates> parse(std::string_view file_text, std::string_view file_name, const Templates& base);
    // Of that file. One that cannot be read or is wrong leaves the built-in words and is a problem.
    static Templates load_file(const std::string& file, std::vector<std::string>& problems);
    // What the settings ask for. A file that cannot be read or is wrong leaves the built-in words and is a problem.
    static Templates load(const config::Settings& settings, std::vector<std::string>& problems);
};

// The template's text with `$name` replaced, times in the wanted unit ($delay_warning_time_hours). A time that is not
// zero but becomes zero in its unit is told in `warnings`.
std::string expand(const Template& words, const config::Settings& settings, std::vector<std::string>& warnings);

}  // namespace ekiden::report
