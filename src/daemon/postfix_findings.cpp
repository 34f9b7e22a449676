#include "daemon/postfix_findings.hpp"

#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "config/lint.hpp"
#include "daemon/check_report.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::daemon::postfix {

using config::Problem;

namespace {

void keep_faults(std::vector<Problem>& problems)
{
    std::erase_if(problems, [](const Problem& problem) { return problem.level != Problem::Level::fatal; });
}

}  // namespace

bool is_watched() { return ::isatty(STDERR_FILENO) == 1; }

bool looks_at_all(std::string_view word)
{
    return word == "check" || word == "start" || word == "start-fg" || word == "reload";
}

void print_fatal(const config::ConfigError& error, bool always, const std::string& advice)
{
    const std::string_view text = error.what();
    std::fprintf(stderr, "postfix: fatal: %s\n", error.what());
    const config::Location& at = error.location;
    const bool is_quoted = text.contains(" = ") || text.contains("parameter ") || text.contains("config variable ");
    const bool is_placed = text.contains(at.file) && (!always || advice.empty() || text.contains(", line "));
    if (at.line > 0 && (always || !is_quoted) && !is_placed)
        std::fprintf(stderr, "postfix: see %s, line %d%s\n", at.file.c_str(), at.line,
                     advice.empty() ? "" : (": " + advice).c_str());
}

void print_unreadable(const Problem& problem, bool always)
{
    print_fatal(config::ConfigError(problem.text, problem.at), always, problem.advice);
}

bool print_findings(const std::vector<Problem>& problems, const std::string& program, const CheckStyle& style)
{
    bool is_fine = true;
    for (const Problem& problem : problems) {
        const bool is_fatal = problem.level == Problem::Level::fatal;
        if (style.is_json) std::printf("%s\n", finding_as_json(problem).c_str());
        else
            std::fprintf(stderr, "%s: %s%s\n", program.c_str(),
                         is_fatal ? "fatal: " : "warning: ", problem.text.c_str());
        is_fine = is_fine && !is_fatal;
    }
    return is_fine;
}

void print_trouble(const std::string& text, const CheckStyle& style)
{
    if (style.is_json) print_findings({{Problem::Level::fatal, {}, text}}, "postfix", style);
    else std::fprintf(stderr, "postfix: fatal: %s\n", text.c_str());
}

std::vector<Problem> find_in_rest(const config::Unreadable& found, const std::string& directory,
                                  const CheckStyle& style)
{
    std::vector<Problem> problems;
    try {
        problems = found.rest ? check_settings(*found.rest, style.hints()) : config::find_odd_characters(directory);
    } catch (const config::ConfigError&) {
        problems = config::find_odd_characters(directory);    // what is bad together says the next try
    }
    if (!style.has_hints) keep_faults(problems);
    return problems;
}

void report_unreadable(const config::ConfigError& error, const std::string& directory, std::string_view word,
                       const CheckStyle& style)
{
    const bool is_for_person = word == "check" || (looks_at_all(word) && is_watched());
    std::vector<Problem> hints, problems;
    bool is_only_one = false;
    if (looks_at_all(word)) {
        config::LoadOptions options;
        options.directory = directory;
        try {
            config::Unreadable found = config::find_unreadable(options);
            // One fault that Postfix stops at, too, is said as it says it.
            is_only_one = found.problems.size() == 1 && !style.is_json && !style.is_verbose;
            CheckStyle of_rest = style;
            of_rest.has_hints = is_for_person && !is_only_one;
            if (found.rest) hints = find_in_rest(found, directory, of_rest);
            problems = std::move(found.problems);
        } catch (const config::ConfigError&) {
            problems.clear();    // no file at all: that is what `error` says
        }
    }
    // What only looks like the right characters is often the reason.
    if (is_for_person && (problems.empty() || is_only_one))
        std::ranges::move(config::find_odd_characters(directory), std::back_inserter(hints));
    print_findings(hints, "postfix", style);
    if (problems.empty()) problems.push_back({Problem::Level::fatal, error.location, error.what()});
    if (style.is_json) {
        print_findings(problems, "postfix", style);
        return;
    }
    if (!looks_at_all(word) && !is_watched() && !style.is_verbose) {
        base::use_sink(base::syslog_sink(LOG_MAIL));
        Logger("postfix").fatal("{}", problems.front().text);
        return;
    }
    for (const Problem& problem : problems)
        print_unreadable(problem, word == "reload" || (style.names_place && !is_only_one) || style.is_verbose);
}

}  // namespace ekiden::daemon::postfix
