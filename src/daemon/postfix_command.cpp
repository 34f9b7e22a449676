#include "daemon/check_settings.hpp"
#include "daemon/postfix_command.hpp"

#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "config/lint.hpp"
#include "config/unreadable.hpp"
#include "control/client.hpp"
#include "daemon/check_report.hpp"
#include "daemon/layout.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/logrotate.hpp"
#include "daemon/master.hpp"
#include "daemon/postfix_instances.hpp"
#include "daemon/process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <poll.h>
#include <string>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

using config::Problem;
using config::SettingsPtr;

constexpr auto usage =
    "Usage: postfix start (or stop, reload, abort, flush, check, status, set-permissions, upgrade-configuration, logrotate)";

// Postfix's words, and the place on a line of its own where they name neither the file nor the parameter. `always`: in any
// case, for who reloads has changed something just now, and who says -v wants to know.
void print_fatal(const config::ConfigError& error, bool always = false, const std::string& advice = {})
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

// The same of one of several.
void print_unreadable(const Problem& problem, bool always)
{
    print_fatal(config::ConfigError(problem.text, problem.at), always, problem.advice);
}

// How `check` says what it found: to people on standard error, or one JSON object a line on standard output; and whether
// the whole proof about relaying is told, too.
struct CheckStyle {
    bool is_json = false, is_verbose = false;
    bool has_hints = true;         // false: faults, and what Postfix prints; for who is no person
    bool has_postconf = true;      // ... of postconf, too
    bool names_place = false;      // of a fault that keeps main.cf from being read
    bool reads_entries = false;    // of the tables, all of them

    Hints hints() const { return reads_entries ? Hints::of_entries : Hints::yes; }
};

// `start` and `reload` give their hints to a person; what runs them unseen gets Postfix's lines and no others.
bool is_watched() { return ::isatty(STDERR_FILENO) == 1; }

class Command {
public:
    Command(SettingsPtr settings, std::string directory)
        : settings_(std::move(settings)), directory_(std::move(directory)),
          script_(settings_->str("syslog_name") + "/postfix-script")
    {
    }

    int start(bool is_foreground);
    int stop(bool is_abort);
    int quick_stop();
    int reload();
    int flush();
    int check(const CheckStyle& style = {});
    int status();
    int set_permissions(const std::string& word, bool has_arguments);
    int rotate();
    int tls();
    int unknown(const std::string& word);

    void warn_of_old_level();
    void print_postconf_warnings();
    void repeat_warnings(std::initializer_list<const char*> programs);

private:
    bool report(const std::vector<Problem>& problems, const CheckStyle& style);
    int report_unreadable(const config::ConfigError& error, const CheckStyle& style);
    std::string postconf() const { return settings_->str("command_directory") + "/postconf"; }
    int refuse_master_cf(const config::ConfigError& error);
    void print_master_cf_fault(const std::string& text);
    int not_running();
    int refuse(const std::string& why);
    bool may_signal(int pid);
    bool wait_until_gone(std::chrono::seconds limit);

    SettingsPtr settings_;
    std::string directory_;
    Logger script_;
};

// Prints what was found; false when something is fatal.
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

void keep_faults(std::vector<Problem>& problems)
{
    std::erase_if(problems, [](const Problem& problem) { return problem.level != Problem::Level::fatal; });
}

// What else is wrong, as if what can be read were all: faults in any case, or who mends one would hear of the next only
// then.
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

// What keeps a command from doing its work besides; "" when nothing does.
std::string owner_trouble(const config::Settings& settings)
{
    const auto owner = find_owner(settings);
    return owner ? std::string() : owner.error().text();
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

int Command::start(bool is_foreground)
{
    if (find_master(*settings_)) {
        script_.fatal("the Postfix mail system is already running");
        return 1;
    }
    if (int status = check({.has_hints = is_watched()}); status != 0) return status;
    script_.info("starting the Postfix mail system");
    base::flush_log();
    if (is_foreground) return run_master({directory_, true, -1});

    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) < 0) {
        std::fprintf(stderr, "postfix: fatal: pipe: %s\n", std::strerror(errno));
        return 1;
    }
    // The master is executed anew: a clean process without this command's threads and buffers.
    auto child = spawn_self({"master", "-c", directory_}, {{ready[1], 3}});
    ::close(ready[1]);
    if (!child) {
        std::fprintf(stderr, "postfix: fatal: %s\n", child.error().text().c_str());
        return 1;
    }
    std::string answer;
    char buffer[512];
    for (;;) {
        ssize_t n = ::read(ready[0], buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        answer.append(buffer, static_cast<std::size_t>(n));
    }
    if (answer == "ok\n") return 0;
    if (!answer.empty()) std::fprintf(stderr, "postfix: %s", answer.c_str());
    script_.fatal("mail system startup failed");
    return 1;
}

bool Command::may_signal(int pid)
{
    if (::kill(pid, 0) == 0 || errno != EPERM) return true;
    const char* const why = "the postfix command is reserved for the superuser";
    if (is_watched()) std::fprintf(stderr, "postfix: fatal: %s\n", why);
    else Logger(settings_->str("syslog_name") + "/postfix").fatal("{}", why);
    return false;
}

int Command::not_running()
{
    script_.fatal("the Postfix mail system is not running");
    return 1;
}

bool Command::wait_until_gone(std::chrono::seconds limit)
{
    auto end = base::steady_now() + limit;
    while (find_master(*settings_)) {
        if (base::steady_now() > end) return false;
        ::poll(nullptr, 0, 10);
    }
    return true;
}

int Command::stop(bool is_abort)
{
    int pid = find_master(*settings_);
    if (!pid) return not_running();
    if (!may_signal(pid)) return 1;
    script_.info("{} the Postfix mail system", is_abort ? "aborting" : "stopping");
    base::flush_log();
    if (::kill(pid, is_abort ? SIGQUIT : SIGTERM) < 0) {
        std::fprintf(stderr, "postfix: fatal: kill %d: %s\n", pid, std::strerror(errno));
        return 1;
    }
    if (!wait_until_gone(std::chrono::seconds(90))) {
        script_.fatal("the mail system (pid {}) does not stop; try \"postfix abort\"", pid);
        return 1;
    }
    return 0;
}

// For the end of the day of the machine: who is down already is no failure.
int Command::quick_stop()
{
    if (find_master(*settings_)) return stop(false);
    (void)not_running();
    return 0;
}

int Command::reload()
{
    int pid = find_master(*settings_);
    if (!pid) return not_running();
    if (!may_signal(pid)) return 1;
    if (int status = check({.has_hints = is_watched(), .has_postconf = false, .names_place = true}); status != 0) {
        script_.error("the running settings stay in force");
        return status;
    }
    script_.info("refreshing the Postfix mail system");
    base::flush_log();
    if (::kill(pid, SIGHUP) < 0) {
        std::fprintf(stderr, "postfix: fatal: kill %d: %s\n", pid, std::strerror(errno));
        return 1;
    }
    return 0;
}

int Command::flush()
{
    auto done = control::call(settings_->str("queue_directory"), {"flush"});
    if (done) return 0;
    std::fprintf(stderr, "postqueue: fatal: %s\n",
                 done.error().is(ErrorCode::unavailable) ? "Cannot flush mail queue - mail system is down"
                                                         : done.error().text().c_str());
    return 69;
}

int Command::status()
{
    int pid = find_master(*settings_);
    if (!pid) {
        // Why it does not run may be what stands in master.cf; a running one is reported whatever stands there by now.
        try {
            config::LoadOptions options;
            options.directory = directory_;
            options.checks = config::Checks::command;
            (void)config::Settings::load(options);
        } catch (const config::ConfigError& error) {
            if (error.location.file.ends_with("master.cf")) return refuse_master_cf(error);
        }
        script_.info("the Postfix mail system is not running");
        return 1;
    }
    script_.info("the Postfix mail system is running: PID: {}", pid);
    return 0;
}

// Said where there is no terminal, too: a script that asks for what there is not should fail with words.
int Command::refuse(const std::string& why)
{
    script_.fatal("{}", why);
    if (!::isatty(STDERR_FILENO)) std::fprintf(stderr, "postfix: fatal: %s\n", why.c_str());
    return 1;
}

// There are no files beside the binary that could have wrong owners, and no master.cf that is too old to be read.
int Command::set_permissions(const std::string& word, bool has_arguments)
{
    if (has_arguments) {
        return refuse(fmt::format(
            "\"postfix {}\" takes no arguments here: change parameters with postconf(1) first, then say \"postfix {}\"",
            word, word));
    }
    auto owner = find_owner(*settings_);
    auto made = owner ? make_directories(*settings_, *owner) : Result<void>(std::unexpected(owner.error()));
    if (!made) {
        std::fprintf(stderr, "postfix: fatal: %s\n", made.error().text().c_str());
        return 1;
    }
    return 0;
}

int Command::rotate() { return rotate_logs(*settings_, Logger(settings_->str("syslog_name") + "/postfix-script")); }

int Command::tls()
{
    return refuse(
        "\"postfix tls\" is not part of this system: make keys with openssl(1) or an ACME client, then set smtpd_tls_chain_files, "
        "smtpd_tls_security_level and smtp_tls_security_level with postconf(1)");
}

int Command::unknown(const std::string& word)
{
    script_.fatal("unknown command: '{}'. {}", word, usage);
    return 1;
}

// These look at the whole configuration, and what keeps it from running is said wherever they are run.
bool starts(std::string_view word)
{
    return word == "check" || word == "start" || word == "start-fg" || word == "reload";
}

// What keeps every command from reading main.cf: those that look at the whole of it name all, with what else stops the
// start; the others what they met first, as Postfix does.
void report_unreadable(const config::ConfigError& error, const std::string& directory, std::string_view word,
                       const CheckStyle& style)
{
    const bool is_for_person = word == "check" || (starts(word) && is_watched());
    std::vector<Problem> hints, problems;
    bool is_only_one = false;
    if (starts(word)) {
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
    if (!starts(word) && !is_watched() && !style.is_verbose) {
        base::use_sink(base::syslog_sink(LOG_MAIL));
        Logger("postfix").fatal("{}", problems.front().text);
        return;
    }
    for (const Problem& problem : problems)
        print_unreadable(problem, word == "reload" || (style.names_place && !is_only_one) || style.is_verbose);
}

// The command line, looked at.
struct Request {
    std::string directory;      // absolute: roles outlive the shell's working directory
    bool is_named = false;      // by -c or MAIL_CONFIG
    std::string word;
    bool has_arguments = false;
    CheckStyle style = {};
};

// Nothing: it is of no use, which has been said.
std::optional<Request> read_request(int argc, char** argv)
{
    Request request;
    bool is_verbose = false;
    int option;
    while ((option = ::getopt(argc, argv, "+c:Dv")) != -1) {
        switch (option) {
        case 'c': request.directory = optarg; break;
        case 'D': break;   // Postfix runs its daemons under a debugger then; ours is attached by pid
        case 'v': is_verbose = true; break;
        default:
            if (is_watched()) std::fprintf(stderr, "postfix: fatal: usage: postfix [-c config_dir] [-Dv] command\n");
            return std::nullopt;
        }
    }
    request.is_named = !request.directory.empty() || std::getenv("MAIL_CONFIG");
    request.directory = config::find_config_directory(request.directory);
    if (!request.directory.starts_with('/')) {
        char here[4096];
        if (::getcwd(here, sizeof here)) request.directory = std::string(here) + "/" + request.directory;
    }
    request.word = optind < argc ? argv[optind] : "";
    request.has_arguments = optind + 1 < argc;
    const bool is_check = request.word == "check";
    request.style = {.is_verbose = is_verbose, .names_place = is_check, .reads_entries = is_check};
    for (int i = optind + 1; is_check && i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--json") request.style.is_json = true;
        else if (argument == "-v") request.style.is_verbose = true;
        else if (argument.starts_with('-')) {   // other words mean nothing, as everywhere
            std::fprintf(stderr, "postfix: fatal: usage: postfix [-c config_dir] check [-v] [--json]\n");
            return std::nullopt;
        }
    }
    return request;
}

// Nothing: it cannot be read, which has been said.
SettingsPtr load_settings(const Request& request)
{
    try {
        config::LoadOptions options;
        options.directory = request.directory;
        options.checks = config::Checks::command;
        options.read_master_cf = false;
        return config::Settings::load(options);
    } catch (const config::ConfigError& error) {
        report_unreadable(error, request.directory, request.word, request.style);
        if (request.word == "reload") std::fprintf(stderr, "postfix: the running settings stay in force\n");
        return nullptr;
    }
}

// As postlog does: the log always, the terminal when somebody sits there.
void open_log(const config::Settings& settings, std::string_view word)
{
    const bool is_to_stdout = settings.str("maillog_file") == "/dev/stdout";
    if (is_to_stdout && word == "start-fg") {
        base::use_sink(base::descriptor_sink(STDOUT_FILENO, log_host(settings)));
        return;
    }
    const auto opened = open_command_log(settings, is_to_stdout || is_watched());
    if (opened) return;
    base::use_sink(is_watched() ? base::stderr_sink() : base::syslog_sink(LOG_MAIL));
    // These look at the log file themselves, and call it fatal.
    if (!starts(word) && is_watched() &&
        (opened.error().is(ErrorCode::refused) || opened.error().is(ErrorCode::syntax)))
        std::fprintf(stderr, "postfix: warning: %s\n", opened.error().text().c_str());
}

// Each of the programs that Postfix runs now repeats what it finds odd, those of the log on a terminal only.
void print_oddities(Command& command, const Request& request)
{
    const std::string& word = request.word;
    const bool has_own_postconf = starts(word) && (word != "reload" || is_watched());
    if (is_watched() && !request.style.is_json) command.repeat_warnings({"postfix"});
    if (!request.is_named && !has_own_postconf) command.print_postconf_warnings();
    if (word == "flush") command.repeat_warnings({"postqueue"});
    else if (is_watched() && word != "check") command.repeat_warnings({"postfix/postlog"});
    if (word != "stop" && word != "abort" && word != "logrotate") command.warn_of_old_level();
}

int set_permissions(Command& command, const Request& request)
{
    return command.set_permissions(request.word, request.has_arguments);
}

struct Row {
    std::string_view word;
    int (*run)(Command& command, const Request& request);
};
constexpr Row commands[] = {
    {"start", [](Command& command, const Request&) { return command.start(false); }},
    {"start-fg", [](Command& command, const Request&) { return command.start(true); }},
    {"stop", [](Command& command, const Request&) { return command.stop(false); }},
    {"abort", [](Command& command, const Request&) { return command.stop(true); }},
    {"drain", [](Command& command, const Request&) { return command.stop(false); }},
    {"quick-stop", [](Command& command, const Request&) { return command.quick_stop(); }},
    {"reload", [](Command& command, const Request&) { return command.reload(); }},
    {"flush", [](Command& command, const Request&) { return command.flush(); }},
    {"check", [](Command& command, const Request& request) { return command.check(request.style); }},
    {"status", [](Command& command, const Request&) { return command.status(); }},
    {"logrotate", [](Command& command, const Request&) { return command.rotate(); }},
    {"set-permissions", set_permissions},
    {"upgrade-configuration", set_permissions},
    {"post-install", set_permissions},
    {"tls", [](Command& command, const Request&) { return command.tls(); }},
};

int run(Command& command, const Request& request)
{
    const auto* known = std::ranges::find(commands, request.word, &Row::word);
    return known != std::end(commands) ? known->run(command, request) : command.unknown(request.word);
}

}  // namespace

int postfix_main(int argc, char** argv)
{
    static char name[] = "postfix";
    argv[0] = name;
    const auto request = read_request(argc, argv);
    if (!request) return 1;
    const SettingsPtr settings = load_settings(*request);
    if (!settings) return 1;
    if (!request->is_named) {
        if (const auto status = hand_to_manager(*settings, {argv + optind, argv + argc})) return *status;
    }
    ::setenv("MAIL_CONFIG", request->directory.c_str(), 1);
    open_log(*settings, request->word);
    Command command(settings, request->directory);
    print_oddities(command, *request);
    const int status = run(command, *request);
    base::flush_log();
    return status;
}

}  // namespace ekiden::daemon
