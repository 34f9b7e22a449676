// postconf -b and -t: the words of notifications, as they will be sent or as they are written.
#include "report/templates.hpp"
#include "tools/postconf.hpp"

#include "base/fd.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <utility>

namespace ekiden::tools::postconf {

namespace {

// Trouble is told under the name that the bounce service has in the log.
void warn_as_bounce(const Options& options, const config::Settings& settings, std::string_view text)
{
    if (!options.is_quiet) fmt::print(stderr, "{}/bounce: warning: {}\n", settings.str("syslog_name"), text);
}

report::Templates read_templates(const Options& options, const config::Settings& settings)
{
    const std::string file = options.names.empty() ? settings.str("bounce_template_file") : options.names.front();
    std::vector<std::string> problems;
    if (file.empty()) return report::Templates::standard();
    // The server goes on with built-in words; who asks about this very file wants to hear that it is not there.
    if (!base::open_file(file, O_RDONLY)) throw Fatal(Error::from_errno("open", file).text());
    auto templates = report::Templates::load_file(file, problems);
    for (const auto& problem : problems)
        warn_as_bounce(options, settings, problem + " -- the built-in templates are used");
    return templates;
}

// As a file that would give these very notifications. Not all of them have a copy for the postmaster.
void print_template(report::Template words, const config::Settings& settings)
{
    if (words.from == report::Template().from && settings.str("header_from_format") == "standard")
        words.from = "Mail Delivery System <MAILER-DAEMON>";
    fmt::print("{}_template = <<EOF\nCharset: {}\nFrom: {}\nSubject: {}\n", words.name, words.charset, words.from,
               words.subject);
    if (!words.postmaster_subject.empty()) fmt::print("Postmaster-Subject: {}\n", words.postmaster_subject);
    fmt::print("\n{}EOF\n", words.text);
}

}  // namespace

void show_templates(const Options& options, char mode)
{
    if (mode == '?') throw Fatal("specify one of -b and -t");
    if (options.names.size() > 1) throw Fatal("options -b and -t require at most one template file");
    if (!options.overrides.empty()) throw Fatal(fmt::format("with option -{}, do not specify -o", mode));
    config::LoadOptions load;
    load.directory = options.directory;
    load.read_master_cf = false;
    load.checks = config::Checks::none;
    const auto settings = config::Settings::load(load);
    const auto templates = read_templates(options, *settings);
    bool is_first = true;
    for (const auto* words : {&templates.failure, &templates.delay, &templates.success, &templates.verify}) {
        if (!std::exchange(is_first, false)) fmt::print("\n");
        if (mode == 't') {
            print_template(*words, *settings);
            continue;
        }
        std::vector<std::string> warnings;
        const auto text = report::expand(*words, *settings, warnings);
        std::fflush(stdout);
        for (const auto& warning : warnings) warn_as_bounce(options, *settings, warning);
        fmt::print("expanded_{}_text = <<EOF\n{}EOF\n", words->name, text);
    }
}

}  // namespace ekiden::tools::postconf
