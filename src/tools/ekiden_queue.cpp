// ekiden queue: what is in the queue, and what is to be done with it, by filters. The running engine lists and changes;
// without one the log is read, and changed, under its lock. What is in memory is the ids that were found, and for a sorted
// list its lines.
#include "base/clock.hpp"
#include "base/json_text.hpp"
#include "base/text.hpp"
#include "config/program_settings.hpp"
#include "control/client.hpp"
#include "mail/queue_id.hpp"
#include "queue/listing.hpp"
#include "rewrite/resolve.hpp"
#include "tools/commands.hpp"
#include "tools/ekiden_queue_options.hpp"
#include "tools/ekiden_queue_view.hpp"
#include "tools/offline_queue.hpp"
#include "tools/support.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <unordered_set>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr int usage_status = 64;
constexpr std::size_t ids_per_request = 150;    // a request has 4,096 bytes

// Where a recipient's mail goes by the configuration as it is now.
class Router {
public:
    explicit Router(const config::SettingsPtr& settings) : resolver_(rewrite::Resolver::make(config::settings_of_program(settings, "trivial-rewrite"))) {}

    bool goes_to(const QueueEntry& entry, const std::vector<std::string>& destinations)
    {
        for (const QueueEntry::Recipient& recipient : entry.recipients) {
            std::optional<Result<rewrite::Route>> route;
            asio::co_spawn(context_, resolver_->resolve(entry.sender, recipient.address),
                           [&](std::exception_ptr error, Result<rewrite::Route> found) {
                               if (!error) route = std::move(found);
                           });
            context_.restart();
            context_.run();
            if (!route || !*route) continue;    // where it goes cannot be told: no destination that was asked for
            if (!entry.filter.empty()) rewrite::apply_filter(**route, entry.filter, recipient.address);
            const auto is_it = [&](const std::string& wanted) {
                return fits_destination((*route)->transport, (*route)->next_hop, wanted);
            };
            if (std::ranges::any_of(destinations, is_it)) return true;
        }
        return false;
    }

private:
    std::shared_ptr<const rewrite::Resolver> resolver_;
    asio::io_context context_{1};
};

struct Counts {
    std::uint64_t done = 0, gone = 0, failed = 0;
};

class Command {
public:
    Command(Voice& voice, config::SettingsPtr settings, QueueOptions options)
        : voice_(voice), settings_(std::move(settings)), options_(std::move(options)), verb_(row_of(options_.verb)),
          now_(base::to_seconds(base::wall_now()))
    {
        mail::use_long_queue_ids(settings_->boolean("enable_long_queue_ids"));
        if (!options_.filter.destinations.empty()) router_.emplace(settings_);
    }

    int run()
    {
        const int status = work();
        // Who names a message wants to know that it is not there, and has got what he wants all the same.
        const std::uint64_t missing = options_.filter.ids.size() - seen_ids_;
        if (options_.limit == 0 && missing > 0) voice_.info(fmt::format("not in the queue: {}", messages(missing)));
        return status;
    }

private:
    int work()
    {
        const bool is_listing = options_.verb == QueueVerb::list;
        if (options_.verb == QueueVerb::flush && options_.filter.is_empty() && options_.limit == 0 && !options_.is_dry)
            return flush_all();
        each_entry([&](std::string_view line) { return look_at(line); });
        finish_list();
        if (is_listing) return 0;
        if (options_.is_dry) {
            voice_.info(fmt::format("would be {}: {}", verb_.done, messages(ids_.size())));
            return 0;
        }
        if (options_.verb == QueueVerb::flush) flush_found();
        else change_found();
        voice_.info(fmt::format("{}: {}", verb_.done, messages(counts_.done)));
        if (counts_.gone > 0)
            voice_.info(fmt::format("gone or changed meanwhile, and left alone: {}", messages(counts_.gone)));
        if (counts_.failed > 0) voice_.warning(fmt::format("failed: {}", messages(counts_.failed)));
        return counts_.failed > 0 ? 1 : 0;
    }

    static std::string messages(std::uint64_t count)
    {
        return fmt::format("{} message{}", count, count == 1 ? "" : "s");
    }

    // Lines of the detailed listing, from the engine or from the log. `visit` returns false to stop.
    void each_entry(const std::function<bool(std::string_view)>& visit)
    {
        std::string unread;
        bool goes_on = true;
        const auto take = [&](std::string_view piece) {
            unread.append(piece);
            std::size_t begin = 0;
            for (std::size_t end; goes_on && (end = unread.find('\n', begin)) != unread.npos; begin = end + 1)
                goes_on = visit(std::string_view(unread).substr(begin, end - begin));
            unread.erase(0, begin);
            if (!goes_on) unread.clear();
        };
        const auto listed = control::call(settings_->str("queue_directory"), {"list", "detailed"}, take);
        if (listed) return;
        if (!listed.error().is(ErrorCode::unavailable)) voice_.fatal(listed.error().text());
        if (options_.verb == QueueVerb::flush) voice_.fatal("cannot flush: the mail system is down");
        const bool changes = options_.verb != QueueVerb::list && !options_.is_dry;
        std::unique_ptr<queue::Store> read_only;
        if (changes) {
            offline_ = std::make_unique<OfflineQueue>(voice_, *settings_);
        } else {
            voice_.warning("the mail system is down: the queue is read from its files");
            queue::StoreOptions options;
            options.directory = settings_->str("queue_directory") + "/log";
            options.is_read_only = true;
            auto opened = queue::open_store(options);
            if (!opened) voice_.fatal(opened.error().text());
            read_only = std::move(*opened);
        }
        const queue::Store& store = offline_ ? offline_->store() : *read_only;
        const auto done = queue::write_listing(
            store, queue::ListingFormat::detailed, [](mail::QueueId) { return false; },
            [&](std::string_view piece) {
                take(piece);
                return goes_on;
            });
        if (!done) voice_.fatal(done.error().text());
    }

    bool look_at(std::string_view line)
    {
        const auto entry = parse_queue_entry(line);
        if (!entry) return true;
        const auto id = mail::parse_queue_id(entry->id);
        if (!id) return true;
        if (options_.filter.ids.contains(id->value)) ++seen_ids_;
        if (!verb_.may_take(entry->queue_name) || !options_.filter.matches(*entry, now_)) return true;
        if (router_ && !router_->goes_to(*entry, options_.filter.destinations)) return true;
        const bool is_sorted = options_.sort != QueueSort::none;
        std::string shown;
        const bool is_shown = options_.verb == QueueVerb::list || options_.is_dry;
        if (is_shown) shown = options_.is_json ? std::string(line) + "\n" : show_entry(*entry, now_);
        if (!is_sorted) {
            ids_.push_back(*id);
            print(shown);
            return options_.limit == 0 || ids_.size() < options_.limit;
        }
        found_.push_back({sort_key(*entry), *id, std::move(shown)});
        // Twice as many as are wanted are kept at most.
        if (options_.limit > 0 && found_.size() >= 2 * options_.limit + 1000) sort_found();
        return true;
    }

    struct Found {
        std::pair<std::int64_t, std::string> key;
        mail::QueueId id;
        std::string shown;
    };

    // Small keys come first: the oldest, the largest, the most recipients; names and ids by the alphabet.
    std::pair<std::int64_t, std::string> sort_key(const QueueEntry& entry) const
    {
        switch (options_.sort) {
        case QueueSort::age: return {entry.arrived_at, {}};
        case QueueSort::size: return {-static_cast<std::int64_t>(entry.size), {}};
        case QueueSort::recipients: return {-static_cast<std::int64_t>(entry.recipients.size()), {}};
        case QueueSort::sender: return {0, base::lower(entry.sender)};
        case QueueSort::id:
        case QueueSort::none: return {0, entry.id};
        }
        return {};
    }

    void sort_found()
    {
        std::ranges::sort(found_, [this](const Found& a, const Found& b) {
            const Found& first = options_.is_reversed ? b : a;
            const Found& second = options_.is_reversed ? a : b;
            return first.key == second.key ? first.id < second.id : first.key < second.key;
        });
        if (options_.limit > 0 && found_.size() > options_.limit) found_.resize(options_.limit);
    }

    void finish_list()
    {
        sort_found();
        for (Found& found : found_) {
            ids_.push_back(found.id);
            print(found.shown);
        }
        found_.clear();
        if (std::fflush(stdout) != 0) std::exit(0);    // the reader (head, less) has enough
    }

    static void print(std::string_view text)
    {
        if (!text.empty() && std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) std::exit(0);
    }

    void report(std::string_view id, std::string_view result, std::string_view error = {})
    {
        if (!options_.is_json) return;
        std::string line =
            fmt::format("{{\"queue_id\": {}, \"result\": {}", base::json_text(id), base::json_text(result));
        if (!error.empty()) line += ", \"error\": " + base::json_text(error);
        line += "}\n";
        std::fwrite(line.data(), 1, line.size(), stdout);    // whether or not somebody reads it, the work goes on
    }

    void note_done(std::string_view id)
    {
        ++counts_.done;
        report(id, verb_.word);
    }
    void note_gone(std::string_view id)
    {
        ++counts_.gone;
        report(id, "gone");
    }
    void note_failed(std::string_view id, std::string_view error)
    {
        ++counts_.failed;
        if (!options_.is_json) voice_.warning(fmt::format("{}: {}", id, error));
        report(id, "failed", error);
    }

    void change_found()
    {
        Progress progress(verb_.doing, ids_.size());
        for (std::size_t at = 0; at < ids_.size(); at += ids_per_request) {
            const std::size_t end = std::min(ids_.size(), at + ids_per_request);
            if (offline_) {
                for (std::size_t i = at; i < end; ++i) change_offline(ids_[i]);
            } else {
                change_some(std::span(ids_).subspan(at, end - at));
            }
            progress.add(end - at);
        }
    }

    void change_offline(mail::QueueId id)
    {
        const auto changed = offline_->change(id, verb_.change);
        if (changed) note_done(mail::format(id));
        else if (changed.error().is(ErrorCode::not_found)) note_gone(mail::format(id));
        else note_failed(mail::format(id), changed.error().text());
    }

    void change_some(std::span<const mail::QueueId> ids)
    {
        std::vector<std::string> request{"change", std::string(verb_.control)};
        std::unordered_set<std::string> silent;    // those that were not heard of yet
        for (const mail::QueueId id : ids) {
            request.push_back(mail::format(id));
            silent.insert(request.back());
        }
        std::string unread;
        const auto done = control::call(settings_->str("queue_directory"), request, [&](std::string_view piece) {
            unread.append(piece);
            for (std::size_t end; (end = unread.find('\n')) != unread.npos; unread.erase(0, end + 1)) {
                const std::string_view line = std::string_view(unread).substr(0, end);
                const auto words = base::split_any(line, " ");
                if (words.size() < 2) continue;
                silent.erase(std::string(words[1]));
                if (words[0] == "changed") note_done(words[1]);
                else if (words[0] == "failed")
                    note_failed(words[1], base::trim(line.substr(static_cast<std::size_t>(
                                              words[1].data() + words[1].size() - line.data()))));
            }
        });
        if (!done)
            voice_.fatal(fmt::format("{} ({} so far: {})", done.error().text(), verb_.done, messages(counts_.done)));
        for (std::size_t i = 2; i < request.size(); ++i) {
            if (silent.contains(request[i])) note_gone(request[i]);
        }
    }

    int flush_all()
    {
        check_user(voice_, *settings_, "authorized_flush_users", "flush the mail queue");
        const auto done = control::call(settings_->str("queue_directory"), {"flush"});
        if (!done)
            voice_.fatal(done.error().is(ErrorCode::unavailable) ? "cannot flush: the mail system is down"
                                                                 : done.error().text());
        voice_.info("the whole queue is asked to be tried now");
        return 0;
    }

    void flush_found()
    {
        check_user(voice_, *settings_, "authorized_flush_users", "flush the mail queue");
        Progress progress(verb_.doing, ids_.size());
        for (std::size_t at = 0; at < ids_.size(); at += ids_per_request) {
            const std::size_t end = std::min(ids_.size(), at + ids_per_request);
            std::vector<std::string> request{"flush-id"};
            for (std::size_t i = at; i < end; ++i) request.push_back(mail::format(ids_[i]));
            const auto done = control::call(settings_->str("queue_directory"), request);
            if (!done) voice_.fatal(done.error().text());
            for (std::size_t i = 1; i < request.size(); ++i) note_done(request[i]);
            progress.add(end - at);
        }
    }

    Voice& voice_;
    const config::SettingsPtr settings_;
    const QueueOptions options_;
    const QueueVerbRow& verb_;
    const std::int64_t now_;
    std::optional<Router> router_;
    std::unique_ptr<OfflineQueue> offline_;
    std::vector<mail::QueueId> ids_;
    std::vector<Found> found_;
    std::uint64_t seen_ids_ = 0;     // of those that were named
    Counts counts_;
};

}  // namespace

int queue_main(int argc, char** argv)
{
    Voice voice("ekiden queue", 69);
    ::signal(SIGPIPE, SIG_IGN);
    auto options = parse_queue_options(std::vector<std::string>(argv + 1, argv + argc));
    if (!options) {
        std::fprintf(stderr, "ekiden queue: %s\n%s\n", options.error().text().c_str(), queue_usage);
        return usage_status;
    }
    if (options->wants_help) {
        std::printf("%s\n", queue_usage);
        return 0;
    }
    const config::SettingsPtr settings = load_settings(voice, options->directory);
    check_user(voice, *settings, "authorized_mailq_users", "view the mail queue");
    try {
        return Command(voice, settings, std::move(*options)).run();
    } catch (const config::ConfigError& error) {
        voice.fatal(error.what());
    }
}

}  // namespace ekiden::tools
