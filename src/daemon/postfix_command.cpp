// The command line of postfix(1), and what is done before any of its words.
#include "daemon/postfix_command.hpp"

#include "base/log_sinks.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/postfix_actions.hpp"
#include "daemon/postfix_findings.hpp"
#include "daemon/postfix_instances.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::daemon {

namespace postfix {
namespace {

using config::SettingsPtr;

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
    if (!looks_at_all(word) && is_watched() &&
        (opened.error().is(ErrorCode::refused) || opened.error().is(ErrorCode::syntax)))
        std::fprintf(stderr, "postfix: warning: %s\n", opened.error().text().c_str());
}

// Each of the programs that Postfix runs now repeats what it finds odd, those of the log on a terminal only.
void print_oddities(Command& command, const Request& request)
{
    const std::string& word = request.word;
    const bool has_own_postconf = looks_at_all(word) && (word != "reload" || is_watched());
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
}  // namespace postfix

int postfix_main(int argc, char** argv)
{
    static char name[] = "postfix";
    argv[0] = name;
    const auto request = postfix::read_request(argc, argv);
    if (!request) return 1;
    const config::SettingsPtr settings = postfix::load_settings(*request);
    if (!settings) return 1;
    if (!request->is_named) {
        if (const auto status = hand_to_manager(*settings, {argv + optind, argv + argc})) return *status;
    }
    ::setenv("MAIL_CONFIG", request->directory.c_str(), 1);
    postfix::open_log(*settings, request->word);
    postfix::Command command(settings, request->directory);
    postfix::print_oddities(command, *request);
    const int status = postfix::run(command, *request);
    base::flush_log();
    return status;
}

}  // namespace ekiden::daemon
