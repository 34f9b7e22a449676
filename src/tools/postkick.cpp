// postkick(1): asks a service for something. The requests that others' scripts send become requests to the engine.
#include "control/client.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <string_view>

namespace ekiden::tools {

namespace {

// W: wake up. D: look at deferred mail; I: at new mail; A, F: whatever the time says; R: reload, which needs no request here.
struct Request {
    std::string_view service, letters;
    const char* verb;    // nullptr: done by itself
};
constexpr Request requests[] = {
    {"pickup", "W", "pickup"},
    {"qmgr", "DAF", "flush"},
    {"qmgr", "IWR", nullptr},
    {"flush", "WFR", nullptr},
};

}  // namespace

int postkick_main(int argc, char** argv)
{
    Voice voice("postkick", 1);
    static char name[] = "postkick";
    argv[0] = name;
    std::string directory;
    int option;
    while ((option = ::getopt(argc, argv, "+c:v")) != -1) {
        if (option == 'c') directory = optarg;
        else if (option != 'v') voice.fatal("usage: postkick [-c config_dir] [-v] class service request");
    }
    if (argc - optind != 3) voice.fatal("usage: postkick [-c config_dir] [-v] class service request");
    const std::string_view category = argv[optind], service = argv[optind + 1], letters = argv[optind + 2];
    const config::SettingsPtr settings = load_settings(voice, directory);
    if (category != "public" && category != "private")
        voice.fatal(fmt::format("{}: the class is public or private", category));
    for (const char letter : letters) {
        const Request* found = nullptr;
        for (const Request& request : requests) {
            if (request.service == service && request.letters.contains(letter)) found = &request;
        }
        if (!found)
            voice.fatal(
                fmt::format("{}/{}: no service that takes the request \"{}\"; pickup takes W, qmgr takes A D F I W",
                            category, service, letter));
        if (!found->verb) continue;
        if (const auto done = control::call(settings->str("queue_directory"), {found->verb}); !done)
            voice.fatal(done.error().text());
    }
    return 0;
}

}  // namespace ekiden::tools
