#include "tools/postmap_options.hpp"

#include <cstdio>
#include <unistd.h>

namespace ekiden::tools {

namespace {

[[noreturn]] void fatal(std::string text) { throw PostmapFatal{std::move(text)}; }

struct Usage {
    std::string_view program, options, text;
};
constexpr Usage postmap_usage{"postmap", "bc:d:fFhijmnNopq:rsuUvw",
                              "[-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file..."};
constexpr Usage postalias_usage{"postalias", "c:d:fijnNopq:rsuvw",
                                "[-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file..."};

}  // namespace

PostmapJob parse_postmap_arguments(int argc, char** argv, std::string_view program, const Logger& log)
{
    const Usage& usage = program == "postalias" ? postalias_usage : postmap_usage;
    PostmapJob job;
    job.is_alias = usage.program == "postalias";
    const std::string usage_text = "usage: " + std::string(usage.program) + " " + std::string(usage.text);
    bool has_message_flag = false;
    // ":" makes getopt silent and tells a missing argument from an unknown letter.
    const std::string letters = "+:" + std::string(usage.options);
    opterr = 0;
    optind = 0;
    for (int letter = 0; (letter = ::getopt(argc, argv, letters.c_str())) > 0;) {
        switch (letter) {
        case 'b': job.message.with_body = has_message_flag = true; break;
        case 'h': job.message.with_headers = has_message_flag = true; break;
        case 'm': job.message.with_mime = has_message_flag = true; break;
        case 'c': job.config_directory = optarg; break;
        case 'd': job.delete_key = optarg; break;
        case 'q': job.query_key = optarg; break;
        case 'f': job.folds = false; break;
        case 'F': job.values_are_files = true; break;
        case 'i': job.is_incremental = true; break;
        case 'n': job.has_nul = false; break;
        case 'N': job.has_nul = true; break;
        case 'o': job.keeps_root = true; break;
        case 'p': job.inherits_permissions = false; break;
        case 'r': job.duplicates = Duplicates::replace; break;
        case 'w': job.duplicates = Duplicates::ignore; break;
        case 's': job.lists = true; break;
        case 'j': job.is_json = true; break;
        case 'u':
        case 'U': break;  // keys are bytes here; UTF-8 needs no switch
        case 'v': ++job.verbosity; break;
        default:
            std::fprintf(stderr, "%s: %s -- '%c'\n", std::string(usage.program).c_str(),
                         letter == ':' ? "option requires an argument" : "invalid option", optopt);
            fatal(usage_text);
        }
        if (job.lists + job.query_key.has_value() + job.delete_key.has_value() > 1)
            fatal("specify only one of -s -q or -d");
    }
    for (int i = optind; i < argc; ++i) job.maps.emplace_back(argv[i]);
    if (job.is_json && !job.lists && !job.query_key) fatal("specify -j only with -q or -s");
    if (has_message_flag && (!job.query_key || *job.query_key != "-")) fatal("specify -b -h or -m only with \"-q -\"");
    if (job.message.with_mime && !job.message.with_body && !job.message.with_headers) {
        log.warning("ignoring -m option without -b or -h");
    }
    if (job.maps.empty()) fatal(usage_text);
    return job;
}

}  // namespace ekiden::tools
