// postqueue(1): the queue for everyone. Runs with the set-gid group so that it may reach the engine's socket; asks the
// engine for everything, and reads the log itself only for root while the engine is down.
#include "tools/postqueue.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "control/client.hpp"
#include "mail/address.hpp"
#include "mail/maildrop.hpp"
#include "mail/queue_id.hpp"
#include "queue/listing.hpp"
#include "queue/store.hpp"
#include "table/match_list.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr auto usage = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site";
constexpr std::size_t max_maildrop_files = 100'000;

void write_out(std::string_view piece)
{
    if (std::fwrite(piece.data(), 1, piece.size(), stdout) != piece.size())
        std::exit(0);  // the reader (head, less) has enough
}

int ask_engine(const Voice& voice, const config::Settings& settings, const std::vector<std::string>& request)
{
    const auto done = control::call(settings.str("queue_directory"), request);
    if (!done)
        voice.fatal(done.error().is(ErrorCode::unavailable) ? "Cannot flush mail queue - mail system is down"
                                                            : done.error().text());
    return 0;
}

// What waits to be collected, as the folder shows it; nothing where it cannot be read.
std::vector<queue::ListedMessage> read_maildrop(const std::string& folder)
{
    std::vector<queue::ListedMessage> messages;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with('.') || messages.size() == max_maildrop_files) continue;
        const auto file = base::open_file(entry.path().string(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        struct stat found{};
        if (!file || ::fstat(file->get(), &found) != 0 || !S_ISREG(found.st_mode)) continue;
        mail::MaildropParser parser;
        std::string buffer(65536, '\0');
        bool is_complete = false;
        for (off_t offset = 0; !is_complete;) {
            const auto count = base::read_at(file->get(), std::span(buffer.data(), buffer.size()), offset);
            if (!count || *count == 0) break;
            offset += static_cast<off_t>(*count);
            std::string_view bytes = std::string_view(buffer).substr(0, *count);
            const auto parsed = parser.feed(bytes);
            if (!parsed) break;
            is_complete = *parsed;
        }
        if (!is_complete) continue;
        queue::ListedMessage message{.queue_name = "maildrop",
                                     .id = name,
                                     .size = static_cast<std::uint64_t>(found.st_size),
                                     .sender = parser.header().sender};
        message.arrived_at = WallTime(std::chrono::duration_cast<Duration>(std::chrono::seconds(found.st_mtim.tv_sec)));
        for (const mail::Recipient& recipient : parser.header().recipients)
            message.recipients.push_back(recipient.address);
        messages.push_back(std::move(message));
    }
    std::ranges::sort(messages, {}, &queue::ListedMessage::arrived_at);
    return messages;
}

}  // namespace

void read_queue(Voice& voice, const config::Settings& settings, bool is_json,
                const std::function<void(std::string_view)>& on_piece)
{
    check_user(voice, settings, "authorized_mailq_users", "view the mail queue");
    const std::string directory = settings.str("queue_directory");
    auto shown = control::call(directory, {"list", is_json ? "json" : "text"}, on_piece);
    if (shown) return;
    if (!shown.error().is(ErrorCode::unavailable)) voice.fatal(shown.error().text());
    constexpr auto why =
        "(Connect to the Postfix showq service: Connection refused)";  // the words that scripts look for
    if (::getuid() != 0 && ::access((directory + "/log").c_str(), R_OK | X_OK) != 0) {
        voice.fatal(fmt::format("Queue report unavailable - mail system is down {}", why));
    }
    voice.warning(fmt::format("Mail system is down -- accessing queue directly {}", why));
    mail::use_long_queue_ids(settings.boolean("enable_long_queue_ids"));
    queue::StoreOptions options;
    options.directory = directory + "/log";
    options.is_read_only = true;
    const auto format = is_json ? queue::ListingFormat::json : queue::ListingFormat::text;
    // Before the first start there is only what was handed in.
    if (::access(options.directory.c_str(), F_OK) != 0 && errno == ENOENT) {
        queue::write_listing(
            format,
            [&](std::string_view piece) {
                on_piece(piece);
                return true;
            },
            read_maildrop(directory + "/maildrop"));
        return;
    }
    auto store = queue::open_store(options);
    if (!store) voice.fatal(store.error().text());
    auto listed = queue::write_listing(
        **store, format, [](mail::QueueId) { return false; },
        [&](std::string_view piece) {
            on_piece(piece);
            return true;
        },
        read_maildrop(directory + "/maildrop"));
    if (!listed) voice.fatal(listed.error().text());
}

int show_queue(Voice& voice, const config::Settings& settings, bool is_json)
{
    read_queue(voice, settings, is_json, write_out);
    return std::fflush(stdout) == 0 ? 0 : 1;
}

int flush_queue(Voice& voice, const config::Settings& settings)
{
    check_user(voice, settings, "authorized_flush_users", "flush the mail queue");
    return ask_engine(voice, settings, {"flush"});
}

int flush_message(Voice& voice, const config::Settings& settings, const std::string& id)
{
    check_user(voice, settings, "authorized_flush_users", "flush the mail queue");
    if (id.empty() || !std::ranges::all_of(id, base::is_alnum))
        voice.fatal(fmt::format("Cannot flush queue ID - invalid name: \"{}\"", id));
    return ask_engine(voice, settings, {"flush-id", id});
}

int flush_site(Voice& voice, const config::Settings& settings, const std::string& site)
{
    check_user(voice, settings, "authorized_flush_users", "flush the mail queue");
    const bool is_valid = site.starts_with('[') ? mail::is_valid_address_literal(site) : mail::is_valid_hostname(site);
    if (!is_valid) voice.fatal(fmt::format("Cannot flush mail queue - invalid destination: \"{}\"", site));
    const auto list = table::MatchList::open("fast_flush_domains", settings.str("fast_flush_domains"), true);
    const auto is_known = list.matches_name_now(site);
    if (!is_known || !*is_known)
        voice.fatal(fmt::format("Flush service is not configured for destination \"{}\"", site));
    return ask_engine(voice, settings, {"flush-site", site});
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
    while ((option = ::getopt(argc, argv, "+c:fi:jps:v")) != -1) {
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
    enter_queue(voice, *settings);
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
