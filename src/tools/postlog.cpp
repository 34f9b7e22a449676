// postlog(1): writes a line to the mail log from a script, as if a mail program had said it.
#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <iostream>
#include <unistd.h>

namespace ekiden::tools {

namespace {

struct Priority {
    std::string_view name;
    base::LogLevel level;
};
constexpr Priority priorities[] = {
    {"info", base::LogLevel::info},   {"warn", base::LogLevel::warning},  {"warning", base::LogLevel::warning},
    {"error", base::LogLevel::error}, {"fatal", base::LogLevel::fatal},   {"crit", base::LogLevel::fatal}, {"panic", base::LogLevel::panic},
};

}  // namespace

int postlog_main(int argc, char** argv)
{
    Voice voice("postlog", 1);
    static char name[] = "postlog";
    argv[0] = name;
    std::string directory, tag = "postfix/postlog";
    base::LogLevel level = base::LogLevel::info;
    bool writes_pid = false;
    int option;
    while ((option = ::getopt(argc, argv, "c:ip:t:v")) != -1) {
        switch (option) {
        case 'c': directory = optarg; break;
        case 'i': writes_pid = true; break;
        case 'p': {
            auto at = std::find_if(std::begin(priorities), std::end(priorities), [](const Priority& p) { return p.name == optarg; });
            if (at == std::end(priorities)) voice.fatal(fmt::format("invalid priority: {}", optarg));
            level = at->level;
            break;
        }
        case 't': tag = optarg; break;
        case 'v': break;
        default: voice.fatal("usage: postlog [-iv] [-c config_dir] [-p priority] [-t tag] [text...]");
        }
    }
    (void)writes_pid;   // our lines always carry it
    config::SettingsPtr settings = load_settings(voice, directory);
    Logger logger(tag);
    auto write = [&](const std::string& text) {
        logger.write(level, text);
        if (::isatty(STDERR_FILENO)) std::cerr << tag << ": " << base::printable(text) << '\n';
    };
    if (optind < argc) {
        std::string text;
        for (int i = optind; i < argc; ++i) text += (text.empty() ? "" : " ") + std::string(argv[i]);
        write(text);
    } else {
        for (std::string line; std::getline(std::cin, line);) write(line);
    }
    base::flush_log();
    return 0;
}

}  // namespace ekiden::tools
