// qshape(1): the shape of the queue, by domain and age.
#include "base/clock.hpp"
#include "base/text.hpp"
#include "tools/commands.hpp"
#include "tools/postqueue.hpp"
#include "tools/queue_shape.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr auto usage =
    "usage: qshape [-lps] [-b bucket_count] [-c config_dir] [-m min_subdomains] [-n batch_top_domains] [-N batch_msg_count] [-t bucket_time] "
    "[-w terminal_width] [queue_name...]";
constexpr std::size_t usual_top = 20;
constexpr std::string_view known_queues[] = {"maildrop", "incoming", "active", "deferred", "hold"};

}  // namespace

int qshape_main(int argc, char** argv)
{
    Voice voice("qshape", 2);
    static char name[] = "qshape";
    argv[0] = name;
    std::string directory;
    ShapeOptions options;
    std::size_t top = usual_top;
    const auto number = [&](std::int64_t least, std::int64_t most) {
        const auto value = base::parse_number<std::int64_t>(std::string_view(optarg));
        if (!value || *value < least || *value > most) voice.fatal(fmt::format("bad number: {}", optarg));
        return *value;
    };
    int option;
    while ((option = ::getopt(argc, argv, "+b:c:lm:n:N:pst:w:")) != -1) {
        switch (option) {
        case 'b': options.buckets = static_cast<std::size_t>(number(1, 30)); break;
        case 'c': directory = optarg; break;
        case 'l': options.is_linear = true; break;
        case 'm': options.min_subdomains = static_cast<std::size_t>(number(1, 1'000'000)); break;
        case 'n': top = static_cast<std::size_t>(number(1, 1'000'000)); break;
        case 'N': (void)number(1, 1'000'000'000); break;    // the whole queue is read before anything is shown
        case 'p': options.has_parents = true; break;
        case 's': options.by_sender = true; break;
        case 't': options.first_minutes = number(1, 1'000'000); break;
        case 'w': options.width = static_cast<std::size_t>(number(20, 1000)); break;
        default: voice.fatal(usage);
        }
    }
    std::vector<std::string> queues(argv + optind, argv + argc);
    if (queues.empty()) queues = {"incoming", "active"};
    for (std::string& queue : queues) {
        if (const std::size_t slash = queue.rfind('/'); slash != queue.npos) queue = queue.substr(slash + 1);
        if (std::ranges::find(known_queues, queue) == std::end(known_queues))
            voice.fatal(fmt::format("{}: no such queue", queue));
    }
    if (::isatty(STDOUT_FILENO)) options.most_rows = top;
    const config::SettingsPtr settings = load_settings(voice, directory);

    QueueShape shape(options);
    const std::int64_t now = base::to_seconds(base::wall_now());
    std::string unread;
    read_queue(voice, *settings, true, [&](std::string_view piece) {
        unread.append(piece);
        std::size_t start = 0;
        for (std::size_t end; (end = unread.find('\n', start)) != unread.npos; start = end + 1) {
            const auto message = parse_queued(std::string_view(unread).substr(start, end - start));
            if (message && std::ranges::find(queues, message->queue_name) != queues.end()) shape.add(*message, now);
        }
        unread.erase(0, start);
    });
    std::fputs(shape.table().c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace ekiden::tools
