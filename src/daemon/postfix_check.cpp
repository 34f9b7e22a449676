// postfix check, which the start has in it, and what the programs that Postfix runs say of themselves.
#include "daemon/postfix_actions.hpp"

#include "config/lint.hpp"
#include "daemon/check_report.hpp"
#include "daemon/layout.hpp"
#include "daemon/process.hpp"

#include <cstdio>

namespace ekiden::daemon::postfix {

using config::Problem;
using config::SettingsPtr;

namespace {

// What keeps a command from doing its work besides; "" when nothing does.
std::string owner_trouble(const config::Settings& settings)
{
    const auto owner = find_owner(settings);
    return owner ? std::string() : owner.error().text();
}

}  // namespace

bool Command::report(const std::vector<Problem>& problems, const CheckStyle& style)
{
    return print_findings(problems, settings_->str("command_directory") + "/postconf", style);
}

// Postfix's commands are scripts that run other programs, and each of those repeats what is odd about main.cf. Who
// watches for such a line by the name of the program finds it here too.
void Command::repeat_warnings(std::initializer_list<const char*> programs)
{
    for (const char* program : programs)
        for (const Problem& problem : settings_->problems())
            std::fprintf(stderr, "%s: warning: %s\n", program, problem.text.c_str());
}

// The last level at which Postfix changed a default that a configuration may rely on.
void Command::warn_of_old_level()
{
    if (settings_->compatibility_level_is_at_least(3, 6)) return;
    Logger logger(settings_->str("syslog_name"));
    const std::string name = settings_->str("mail_name");
    logger.info("{} is using backwards-compatible default settings", name);
    logger.info("See http://www.postfix.org/COMPATIBILITY_README.html for details");
    logger.info("To disable backwards compatibility use \"postconf compatibility_level=3.6\" and \"postfix reload\"");
}

int Command::refuse_master_cf(const config::ConfigError& error)
{
    print_master_cf_fault(error.what());
    script_.fatal("cannot execute {}!", postconf());
    return 1;
}

void Command::print_master_cf_fault(const std::string& text)
{
    std::fprintf(stderr, "%s: fatal: %s%s\n", postconf().c_str(), text.starts_with('/') ? "file " : "", text.c_str());
}

// Postfix's scripts ask postconf, and that says what is odd about main.cf and which names mean nothing to it.
void Command::print_postconf_warnings()
{
    repeat_warnings({postconf().c_str()});
    for (const auto find : {config::find_undefined, config::find_unused})
        for (const Problem& problem : find(*settings_))
            std::fprintf(stderr, "%s: warning: %s\n", postconf().c_str(), problem.text.c_str());
}

// All that cannot be read, not only what was met first; and what else is wrong.
int Command::report_unreadable(const config::ConfigError& error, const CheckStyle& style)
{
    config::LoadOptions options;
    options.directory = directory_;
    const config::Unreadable found = config::find_unreadable(options);
    report(find_in_rest(found, directory_, style), style);
    if (const std::string trouble = found.rest ? owner_trouble(*found.rest) : std::string(); !trouble.empty())
        print_trouble(trouble, style);
    if (found.problems.empty()) {
        if (style.is_json) report({{Problem::Level::fatal, error.location, error.what()}}, style);
        else if (error.location.file.ends_with("master.cf")) return refuse_master_cf(error);
        else print_fatal(error, style.names_place || style.is_verbose);
        return 1;
    }
    if (style.is_json) {
        report(found.problems, style);
        return 1;
    }
    bool is_master_cf = false;
    for (const Problem& problem : found.problems) {
        is_master_cf = problem.at.file.ends_with("master.cf");
        if (is_master_cf) print_master_cf_fault(problem.text);
        else print_unreadable(problem, style.names_place || style.is_verbose);
    }
    if (is_master_cf) script_.fatal("cannot execute {}!", postconf());
    return 1;
}

int Command::check(const CheckStyle& style)
{
    // The whole truth, as the server will see it: what a daemon would stumble over tonight is said now.
    try {
        config::LoadOptions options;
        options.directory = directory_;
        SettingsPtr full = config::Settings::load(options);
        std::vector<Problem> problems = check_settings(*full, style.hints());
        if (!style.has_hints) {
            if (style.has_postconf) print_postconf_warnings();
            std::erase_if(problems, [](const Problem& problem) {
                return problem.level != Problem::Level::fatal && !problem.harms_others;
            });
        }
        const bool is_fine = report(problems, style);
        if (const std::string trouble = owner_trouble(*full); !is_fine && !trouble.empty())
            print_trouble(trouble, style);
        if (style.is_json || style.is_verbose) {
            for (const check::RelayProof& proof : check::prove_relay_control(*full))
                std::printf("%s", style.is_json ? (proof_as_json(proof) + "\n").c_str() : proof_as_text(proof).c_str());
        }
        if (!is_fine) {
            // Who reads the log in the morning was not there.
            for (const Problem& problem : problems)
                if (!is_watched() && problem.level == Problem::Level::fatal) script_.fatal("{}", problem.text);
            script_.fatal("the configuration was refused");
            return 1;
        }
    } catch (const config::ConfigError& error) {
        return report_unreadable(error, style);
    }
    if (!style.is_json) repeat_warnings({"postsuper"});
    auto owner = find_owner(*settings_);
    auto made = owner ? make_directories(*settings_, *owner) : Result<void>(std::unexpected(owner.error()));
    if (!made) {
        print_trouble(made.error().text(), style);
        script_.fatal("unable to create missing queue directories");
        return 1;
    }
    for (const std::string& problem : find_wrong_rights(*settings_, *owner)) {
        if (style.is_json)
            report({{Problem::Level::warning, {problem.substr(problem.rfind(": ") + 2), 0}, problem}}, style);
        else script_.warning("{}", problem);
    }
    return 0;
}

}  // namespace ekiden::daemon::postfix
