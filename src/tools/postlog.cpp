// postlog(1): writes a line to the mail log from a script, as if a mail program had said it.
#include "base/log.hpp"
#include "base/log_relay.hpp"
#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <unistd.h>

namespace ekiden::tools {

namespace {

struct Priority {
    std::string_view name;
    base::LogLevel level;
    std::string_view label;     // as the log shows it
};
constexpr Priority priorities[] = {
    {"info", base::LogLevel::info, ""},           {"warn", base::LogLevel::warning, "warning: "}, {"warning", base::LogLevel::warning, "warning: "},
    {"error", base::LogLevel::error, "error: "},  {"fatal", base::LogLevel::fatal, "fatal: "},    {"crit", base::LogLevel::fatal, "fatal: "},
    {"panic", base::LogLevel::panic, "panic: "},
};
constexpr std::size_t max_line = 2048;    // the rest of a longer one is a line of its own

void read_lines(const std::function<void(std::string_view)>& on_line)
{
    std::string line;
    for (int c; (c = std::getchar()) != EOF;) {
        if (c != '\n') line += static_cast<char>(c);
        if (c != '\n' && line.size() < max_line) continue;
        on_line(line);
        line.clear();
    }
    if (!line.empty()) on_line(line);
}

}  // namespace

int postlog_main(int argc, char** argv)
{
    sanitize_environment();
    Voice voice("postlog", 1);
    static char name[] = "postlog";
    argv[0] = name;
    std::string directory, tag = "postfix/postlog";
    const Priority* priority = &priorities[0];
    bool has_tag = false;
    int option;
    while ((option = ::getopt(argc, argv, "+c:ip:t:v")) != -1) {
        switch (option) {
        case 'c': directory = optarg; break;
        case 'i': break;    // our lines always carry the process id
        case 'p': {
            const auto* at = std::ranges::find(priorities, std::string_view(optarg), &Priority::name);
            if (at == std::end(priorities))
                voice.fatal(fmt::format("bad severity: \"{}\"; want info, warn, error, fatal or panic", optarg));
            priority = at;
            break;
        }
        case 't': tag = optarg, has_tag = true; break;
        case 'v': break;
        default: voice.fatal("usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]");
        }
    }
    const config::SettingsPtr settings = load_settings(voice, directory);
    // Where nobody runs who has the output of a container, this is all of the container.
    const std::string host = settings->str("myhostname");
    if (settings->str("maillog_file") == "/dev/stdout" &&
        !base::connect_log_relay(settings->str("queue_directory") + "/" + std::string(base::log_relay_name)))
        base::use_sink(base::descriptor_sink(STDOUT_FILENO, host.substr(0, host.find('.'))));
    if (!has_tag) tag = settings->str("syslog_name") + "/postlog";
    const Logger logger(tag);
    const bool has_terminal = ::isatty(STDERR_FILENO) != 0;
    auto write = [&](std::string_view text) {
        logger.write(priority->level, text);
        if (has_terminal) std::cerr << tag << ": " << priority->label << base::printable(text) << '\n';
    };
    if (optind < argc) {
        std::string text;
        for (int i = optind; i < argc; ++i) text += (i == optind ? "" : " ") + std::string(argv[i]);
        write(text);
    } else {
        read_lines(write);
    }
    base::flush_log();
    return 0;
}

}  // namespace ekiden::tools
