// postcat(1): shows queued messages. Reads the commit log without touching it, beside a running engine too; who may read
// it is the file system's word.
#include "base/fd.hpp"
#include "base/text.hpp"
#include "mail/queue_id.hpp"
#include "queue/store.hpp"
#include "tools/commands.hpp"
#include "tools/postcat_records.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr auto usage =
    "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]";

void write_out(std::string_view piece)
{
    if (std::fwrite(piece.data(), 1, piece.size(), stdout) != piece.size())
        std::exit(0);  // the reader (head, less) has enough
}

class Command {
public:
    Command(Voice& voice, config::SettingsPtr settings, PrintOptions options)
        : voice_(voice), settings_(std::move(settings)), options_(options),
          queue_directory_(settings_->str("queue_directory"))
    {
    }

    // -q: wherever the message is.
    void show_id(const std::string& text)
    {
        if (text.empty() || !std::ranges::all_of(text, base::is_alnum)) voice_.fatal("bad mail queue ID: " + text);
        int error = ENOENT;
        if (const auto id = mail::parse_queue_id(text)) error = show_queued(*id, "");
        if (error == ENOENT) error = show_maildrop(queue_directory_ + "/maildrop/" + text, "maildrop/" + text);
        if (error != 0) voice_.fatal(fmt::format("open queue file {}: {}", text, std::strerror(error)));
    }

    // A file of the maildrop folder; or the name that the message's file would have in Postfix's queue.
    void show_file(const std::string& path)
    {
        int error = show_maildrop(path, path);
        if (error == ENOENT && path.starts_with(queue_directory_ + "/")) {
            if (const auto id = mail::parse_queue_id(std::string_view(path).substr(path.rfind('/') + 1)))
                error = show_queued(*id, path);
        }
        if (error != 0) voice_.fatal(fmt::format("open {}: {}", path, std::strerror(error)));
    }

    bool has_failed() const { return has_failed_; }
    void show_input() { show_stream(STDIN_FILENO, "stdin", base::wall_now()); }

private:
    // 0, or why not. `name` is shown; empty: the folder and id as Postfix names them.
    int show_queued(mail::QueueId id, std::string name)
    {
        if (const int error = open_store(); error != 0) return error;
        auto loaded = store_->load_now(id);
        if (!loaded && loaded.error().is(ErrorCode::not_found)) return ENOENT;
        if (!loaded) voice_.fatal(loaded.error().text());
        if (name.empty()) name = place_of(*loaded, id);
        RecordPrinter printer(options_, name, write_out);
        printer.envelope(envelope_records(*loaded));
        const auto reader = loaded->content->open();
        for (;;) {
            auto piece = reader->next_now();
            if (!piece) voice_.fatal(fmt::format("{}: {}", name, piece.error().text()));
            if (piece->empty()) break;
            printer.content(*piece);
        }
        printer.finish(extracted_records(*loaded));
        return 0;
    }

    int open_store()
    {
        if (store_) return 0;
        queue::StoreOptions options;
        options.directory = queue_directory_ + "/log";
        options.is_read_only = true;
        if (::access(options.directory.c_str(), R_OK | X_OK) != 0) return errno;
        auto opened = queue::open_store(options);
        if (!opened) voice_.fatal(opened.error().text());
        store_ = std::move(*opened);
        return 0;
    }

    std::string place_of(const queue::Loaded& message, mail::QueueId id) const
    {
        const std::string text = mail::format(id);
        if (message.state == queue::State::held) return "hold/" + text;
        if (message.state != queue::State::deferred) return "active/" + text;
        // Deferred messages lie in folders named by the first letters of their ids.
        std::string place = "deferred/";
        const auto hashed = settings_->list("hash_queue_names");
        const auto depth =
            std::ranges::find(hashed, "deferred") == hashed.end() ? 0 : settings_->integer("hash_queue_depth");
        for (std::int64_t i = 0; i < depth && i < static_cast<std::int64_t>(text.size()); ++i)
            place += fmt::format("{}/", text[static_cast<std::size_t>(i)]);
        return place + text;
    }

    int show_maildrop(const std::string& path, const std::string& name)
    {
        auto file = base::open_file(path, O_RDONLY | O_NOCTTY);
        if (!file) return file.error().os_error() != 0 ? file.error().os_error() : EIO;
        struct stat found{};
        if (::fstat(file->get(), &found) != 0) return errno;
        show_stream(file->get(), name,
                    WallTime(std::chrono::duration_cast<Duration>(std::chrono::seconds(found.st_mtim.tv_sec))));
        return 0;
    }

    void show_stream(int fd, const std::string& name, WallTime written_at)
    {
        mail::MaildropParser parser;
        RecordPrinter printer(options_, name, write_out);
        std::string buffer(65536, '\0');
        bool has_header = false;
        for (;;) {
            const ssize_t count = ::read(fd, buffer.data(), buffer.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) voice_.fatal(fmt::format("read {}: {}", name, std::strerror(errno)));
            if (count == 0) break;
            std::string_view bytes = std::string_view(buffer).substr(0, static_cast<std::size_t>(count));
            if (!has_header) {
                const auto parsed = parser.feed(bytes);
                if (!parsed) {
                    voice_.warning(name + ": input is not a valid queue file");
                    has_failed_ = true;
                    return;
                }
                has_header = *parsed;
                if (has_header) printer.envelope(envelope_records(parser.header(), written_at));
            }
            if (has_header) printer.content(bytes);
        }
        if (has_header) printer.finish();
    }

    Voice& voice_;
    config::SettingsPtr settings_;
    const PrintOptions options_;
    const std::string queue_directory_;
    bool has_failed_ = false;
    std::unique_ptr<queue::Store> store_;
};

}  // namespace

int postcat_main(int argc, char** argv)
{
    Voice voice("postcat", 1);
    static char name[] = "postcat";
    argv[0] = name;
    PrintOptions options;
    std::string directory;
    bool uses_queue = false;
    int option;
    while ((option = ::getopt(argc, argv, "+bc:dehoqrs:v")) != -1) {
        switch (option) {
        case 'b': options.shows_body = true; break;
        case 'c': directory = optarg; break;
        case 'd': options.shows_types = true; break;
        case 'e': options.shows_envelope = true; break;
        case 'h': options.shows_header = true; break;
        case 'o': options.shows_offsets = true; break;
        case 'q': uses_queue = true; break;
        case 'r': break;      // records are in file order here
        case 's': {
            const auto offset = base::parse_number<std::size_t>(std::string_view(optarg));
            if (!offset) voice.fatal(fmt::format("bad offset: {}", optarg));
            options.skip = *offset;
            break;
        }
        case 'v': options.is_verbose = true; break;
        default: voice.fatal(usage);
        }
    }
    if (!options.shows_envelope && !options.shows_header && !options.shows_body)
        options.shows_envelope = options.shows_header = options.shows_body = true;

    const config::SettingsPtr settings = load_settings(voice, directory);
    mail::use_long_queue_ids(settings->boolean("enable_long_queue_ids"));
    Command command(voice, settings, options);
    // Named by their ids nothing can be piped in.
    if (optind == argc && !uses_queue) command.show_input();
    for (int i = optind; i < argc; ++i) {
        if (uses_queue) command.show_id(argv[i]);
        else command.show_file(argv[i]);
    }
    return std::fflush(stdout) == 0 && !command.has_failed() ? 0 : 1;
}

}  // namespace ekiden::tools
