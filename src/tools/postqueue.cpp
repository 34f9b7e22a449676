// postqueue(1): the queue for everyone. Runs with the set-gid group so that it may reach the engine's socket; asks the
// engine for everything, and reads the log itself only for root while the engine is down.
#include "tools/postqueue.hpp"

#include "base/text.hpp"
#include "control/client.hpp"
#include "mail/queue_id.hpp"
#include "queue/listing.hpp"
#include "queue/store.hpp"
#include "table/match_list.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <cstdio>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr auto usage = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site";

void write_out(std::string_view piece)
{
    if (std::fwrite(piece.data(), 1, piece.size(), stdout) != piece.size()) std::exit(0);   // the reader (head, less) has enough
}

}  // namespace

int show_queue(Voice& voice, const config::Settings& settings, bool is_json)
{
    check_user(voice, settings, "authorized_mailq_users", "view the mail queue");
    std::string directory = settings.str("queue_directory");
    auto shown = control::call(directory, {"list", is_json ? "json" : "text"}, write_out);
    if (shown) return std::fflush(stdout) == 0 ? 0 : 1;
    if (!shown.error().is(ErrorCode::unavailable)) voice.fatal(shown.error().text());
    if (::getuid() != 0 && ::access((directory + "/log").c_str(), R_OK | X_OK) != 0)
        voice.fatal("Queue report unavailable - mail system is down");
    mail::use_long_queue_ids(settings.boolean("enable_long_queue_ids"));
    queue::StoreOptions options;
    options.directory = directory + "/log";
    options.is_read_only = true;
    auto store = queue::open_store(options);
    if (!store) voice.fatal(store.error().text());
    auto listed = queue::write_listing(**store, is_json ? queue::ListingFormat::json : queue::ListingFormat::text, [](mail::QueueId) { return false; },
                                       [](std::string_view piece) {
                                           write_out(piece);
                                           return true;
                                       });
    if (!listed) voice.fatal(listed.error().text());
    return std::fflush(stdout) == 0 ? 0 : 1;
}

int flush_queue(Voice& voice, const config::Settings& settings)
{
    check_user(voice, settings, "authorized_flush_users", "flush the mail queue");
    auto done = control::call(settings.str("queue_directory"), {"flush"});
    if (!done) voice.fatal(done.error().is(ErrorCode::unavailable) ? "Cannot flush mail queue - mail system is down" : done.error().text());
    return 0;
}

int flush_message(Voice& voice, const config::Settings& settings, const std::string& id)
{
    check_user(voice, settings, "authorized_flush_users", "flush the mail queue");
    for (char c : id) {
        if (!base::is_alnum(c)) voice.fatal(fmt::format("queue ID must be alphanumeric: {}", id));
    }
    auto done = control::call(settings.str("queue_directory"), {"flush-id", id});
    if (!done) voice.fatal(done.error().is(ErrorCode::unavailable) ? "Cannot flush queue ID - mail system is down" : done.error().text());
    return 0;
}

int flush_site(Voice& voice, const config::Settings& settings, const std::string& site)
{
    check_user(voice, settings, "authorized_flush_users", "flush the mail queue");
    std::string_view domain = site;
    if (domain.starts_with('[') && domain.ends_with(']')) domain = domain.substr(1, domain.size() - 2);
    if (domain.empty() || domain.find_first_of(" \t\r\n") != domain.npos) voice.fatal(fmt::format("Cannot flush mail queue - invalid destination: \"{}\"", site));
    auto list = table::MatchList::open("fast_flush_domains", settings.str("fast_flush_domains"), true);
    auto is_known = list.matches_name(domain);
    if (!is_known || !*is_known) voice.fatal(fmt::format("Flush service is not configured for destination \"{}\"", site));
    auto done = control::call(settings.str("queue_directory"), {"flush-site", std::string(domain)});
    if (!done) voice.fatal(done.error().is(ErrorCode::unavailable) ? "Cannot flush mail queue - mail system is down" : done.error().text());
    return 0;
}

int postqueue_main(int argc, char** argv)
{
    sanitize_environment();
    Voice voice("postqueue", 69);
    std::string directory, id, site;
    char mode = 0;
    bool is_json = false;
    auto choose = [&](char wanted) {
        if (mode != 0) {
            (void)load_settings(voice, directory);
            voice.fatal(usage);
        }
        mode = wanted;
    };
    static char name[] = "postqueue";
    argv[0] = name;
    int option;
    while ((option = ::getopt(argc, argv, "c:fi:jps:v")) != -1) {
        switch (option) {
        case 'c': directory = optarg; break;
        case 'f': choose('f'); break;
        case 'i': choose('i'), id = optarg; break;
        case 'j': choose('p'), is_json = true; break;
        case 'p': choose('p'); break;
        case 's': choose('s'), site = optarg; break;
        case 'v': break;
        default: voice.fatal(usage);
        }
    }
    config::SettingsPtr settings = load_settings(voice, directory);
    if (optind < argc) mode = 0;
    switch (mode) {
    case 'p': return show_queue(voice, *settings, is_json);
    case 'f': return flush_queue(voice, *settings);
    case 'i': return flush_message(voice, *settings, id);
    case 's': return flush_site(voice, *settings, site);
    default: voice.fatal(usage);
    }
}

}  // namespace ekiden::tools
