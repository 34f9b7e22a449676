// postsuper(1): delete, hold, release, requeue, expire. With a running engine every change goes through its control
// socket; without one the command takes the queue's lock and changes the log itself.
#include "base/text.hpp"
#include "control/client.hpp"
#include "mail/queue_id.hpp"
#include "queue/store.hpp"
#include "tools/commands.hpp"
#include "tools/offline_queue.hpp"
#include "tools/queue_shape.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr auto usage =
    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] "
    "[-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]";

constexpr std::string_view queue_names[] = {"maildrop", "incoming", "active", "deferred",
                                            "hold",     "bounce",   "defer",  "trace"};
constexpr std::size_t ids_per_request = 100;

struct Action {
    char option;
    const char* change;          // control word
    queue::Change direct;
    const char* done;            // "ID: removed"
    const char* total;           // "Deleted"
};
// In the order in which the totals are printed.
constexpr Action actions[] = {
    {'d', "remove", queue::Change::remove, "removed", "Deleted"},
    {'e', "expire", queue::Change::expire, "expired", "Force-expired"},
    {'r', "requeue", queue::Change::requeue, "requeued", "Requeued"},
    {'h', "hold", queue::Change::hold, "placed on hold", "Placed on hold"},
    {'H', "release", queue::Change::release, "released from hold", "Released from hold"},
};

const Action& action_of(char option)
{
    for (const Action& action : actions) {
        if (action.option == option) return action;
    }
    std::abort();
}

class Command {
public:
    Command(Voice& voice, config::SettingsPtr settings) : voice_(voice), settings_(std::move(settings))
    {
        mail::use_long_queue_ids(settings_->boolean("enable_long_queue_ids"));
    }

    std::vector<std::string> folders;            // the queues named on the command line

    void apply(char option, bool is_all, const std::vector<std::string>& ids)
    {
        const Action& action = action_of(option);
        counts_.try_emplace(option, 0);
        if (is_all) {
            if (option == 'd' && is_wanted("maildrop")) remove_maildrop({}, false);
            if (folders.empty()) change_all(action, "");
            for (const std::string& folder : folders) change_all(action, folder);
            return;
        }
        std::vector<std::string> valid;
        for (const std::string& id : ids) {
            bool has_form = !id.empty() && std::all_of(id.begin(), id.end(), base::is_alnum);
            if (!has_form) {
                voice_.warning("invalid mail queue id: " + id);
                continue;
            }
            if (id != "ALL") valid.push_back(id);
        }
        if (option == 'd' && is_wanted("maildrop")) valid = remove_maildrop(std::move(valid), true);
        if (!folders.empty()) valid = only_in_folders(std::move(valid));
        for (std::size_t at = 0; at < valid.size(); at += ids_per_request) {
            std::vector<std::string> some(
                valid.begin() + static_cast<std::ptrdiff_t>(at),
                valid.begin() + static_cast<std::ptrdiff_t>(std::min(valid.size(), at + ids_per_request)));
            change(action, some, true);
        }
    }

    void print_totals()
    {
        for (const Action& action : actions) {
            auto at = counts_.find(action.option);
            if (at != counts_.end())
                voice_.info(fmt::format("{}: {} message{}", action.total, at->second, at->second == 1 ? "" : "s"));
        }
    }
    bool has_failed() const { return has_failed_; }

private:
    bool is_wanted(std::string_view folder) const
    {
        return folders.empty() || std::ranges::find(folders, folder) != folders.end();
    }

    // What was handed in and not collected yet is a file. Of the ids given those that were none are returned; without ids all
    // files go. What the engine collects at this moment is queued under a new id, as with Postfix.
    std::vector<std::string> remove_maildrop(std::vector<std::string> ids, bool names_each)
    {
        const std::string folder = settings_->str("queue_directory") + "/maildrop";
        if (!names_each) {
            std::error_code trouble;
            for (const auto& entry : std::filesystem::directory_iterator(folder, trouble)) {
                const std::string name = entry.path().filename().string();
                if (std::ranges::all_of(name, base::is_alnum) && entry.is_regular_file(trouble)) ids.push_back(name);
            }
        }
        std::erase_if(ids, [&](const std::string& id) {
            const bool is_gone = ::unlink((folder + "/" + id).c_str()) == 0;
            if (is_gone) note(action_of('d'), "changed " + id, names_each);
            else if (errno != ENOENT) voice_.fatal(Error::from_errno("remove", folder + "/" + id).text());
            return is_gone;
        });
        return ids;
    }

    // Ids of messages that are in one of the queues named on the command line.
    std::vector<std::string> only_in_folders(std::vector<std::string> ids)
    {
        std::set<std::string, std::less<>> found;
        std::string unread;
        const auto listed =
            control::call(settings_->str("queue_directory"), {"list", "json"}, [&](std::string_view piece) {
                unread.append(piece);
                for (std::size_t end; (end = unread.find('\n')) != unread.npos; unread.erase(0, end + 1)) {
                    const auto message = parse_queued(std::string_view(unread).substr(0, end));
                    if (message && is_wanted(message->queue_name)) found.insert(message->id);
                }
            });
        if (!listed && !listed.error().is(ErrorCode::unavailable)) voice_.fatal(listed.error().text());
        if (listed) std::erase_if(ids, [&](const std::string& id) { return !found.contains(id); });
        return ids;    // without an engine change_offline() looks
    }

    void change_all(const Action& action, const std::string& folder)
    {
        change(action, {folder.empty() ? "ALL" : "ALL:" + folder}, false);
    }

    void change(const Action& action, const std::vector<std::string>& ids, bool names_each)
    {
        std::vector<std::string> request{"change", action.change};
        request.insert(request.end(), ids.begin(), ids.end());
        std::string unread;
        auto done = control::call(settings_->str("queue_directory"), request, [&](std::string_view piece) {
            unread.append(piece);
            for (std::size_t end; (end = unread.find('\n')) != unread.npos; unread.erase(0, end + 1))
                note(action, std::string_view(unread).substr(0, end), names_each);
        });
        if (done) return;
        if (!done.error().is(ErrorCode::unavailable)) voice_.fatal(done.error().text());
        change_offline(action, ids, names_each);
    }

    void note(const Action& action, std::string_view line, bool names_each)
    {
        auto words = base::split_any(line, " ");
        if (words.size() >= 2 && words[0] == "changed") {
            ++counts_[action.option];
            if (names_each) voice_.info(fmt::format("{}: {}", words[1], action.done));
        } else if (words.size() >= 2 && words[0] == "failed") {
            voice_.warning(fmt::format("{}: {}", words[1], line.substr(line.find(words[1]) + words[1].size() + 1)));
            has_failed_ = true;
        }
    }

    void change_offline(const Action& action, const std::vector<std::string>& ids, bool names_each)
    {
        // Before the first start there is no queue.
        if (::access((settings_->str("queue_directory") + "/log").c_str(), F_OK) != 0 && errno == ENOENT) return;
        if (!offline_) offline_ = std::make_unique<OfflineQueue>(voice_, *settings_);
        std::string folder = ids[0].starts_with("ALL:") ? ids[0].substr(4) : "";
        std::vector<mail::QueueId> wanted;
        if (!ids[0].starts_with("ALL")) {
            for (const std::string& text : ids) {
                if (auto id = mail::parse_queue_id(text)) wanted.push_back(*id);
            }
        }
        std::vector<mail::QueueId> targets;
        offline_->store().for_each([&](const queue::Summary& summary) {
            bool is_held = summary.state == queue::State::held;
            std::string_view name = is_held                                   ? "hold"
                                    : summary.state == queue::State::deferred ? "deferred"
                                                                              : "incoming";
            if (!folder.empty() && folder != name && !(folder == "active" && name == "incoming")) return true;
            if (!wanted.empty() && !is_wanted(name) && !(name == "incoming" && is_wanted("active"))) return true;
            if ((action.option == 'h' && is_held) || (action.option == 'H' && !is_held)) return true;
            if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), summary.id) == wanted.end()) return true;
            if (wanted.empty() && !ids[0].starts_with("ALL")) return true;
            targets.push_back(summary.id);
            return true;
        });
        for (mail::QueueId id : targets) {
            auto changed = offline_->change(id, action.direct);
            if (changed) note(action, "changed " + mail::format(id), names_each);
            else if (!changed.error().is(ErrorCode::not_found))
                note(action, fmt::format("failed {} {}", mail::format(id), changed.error().text()), names_each);
        }
    }

    Voice& voice_;
    config::SettingsPtr settings_;
    std::map<char, std::uint64_t> counts_;
    std::unique_ptr<OfflineQueue> offline_;
    bool has_failed_ = false;
};

std::vector<std::string> read_ids()
{
    std::vector<std::string> ids;
    for (std::string line; std::getline(std::cin, line);) {
        std::string_view id = base::trim(line);
        if (!id.empty()) ids.emplace_back(id.substr(0, 256));
    }
    return ids;
}

}  // namespace

int postsuper_main(int argc, char** argv)
{
    Voice voice("postsuper", 1);
    static char name[] = "postsuper";
    argv[0] = name;
    std::string directory;
    std::vector<std::pair<char, std::string>> wishes;
    int option;
    while ((option = ::getopt(argc, argv, "+c:d:e:f:h:H:pr:sSv")) != -1) {
        switch (option) {
        case 'c': directory = optarg; break;
        case 'd':
        case 'e':
        case 'f':
        case 'h':
        case 'H':
        case 'r': wishes.emplace_back(static_cast<char>(option), optarg); break;
        case 'p':
        case 's':
        case 'S':
        case 'v': break;  // temporary files and folders are the log's own affair: nothing to mend
        default: voice.fatal(usage);
        }
    }
    if (::getuid() != 0 && ::geteuid() == 0) voice.fatal("use of this command is reserved for the superuser");
    config::SettingsPtr settings = load_settings(voice, directory);
    // Without root there is still whoever owns the instance (containers, tests): its files decide.
    if (::getuid() != 0 && ::access((settings->str("queue_directory") + "/log").c_str(), R_OK | W_OK | X_OK) != 0)
        voice.fatal("use of this command is reserved for the superuser");

    enter_queue(voice, *settings);
    Command command(voice, settings);
    for (int i = optind; i < argc; ++i) {
        if (std::find(std::begin(queue_names), std::end(queue_names), std::string_view(argv[i])) ==
            std::end(queue_names))
            voice.fatal(fmt::format("invalid directory name: {}", argv[i]));
        command.folders.emplace_back(argv[i]);
    }

    // Ids of one kind go together. Only the command line can say ALL: in a list it is an id that nothing has.
    struct Work {
        char kind;
        bool is_all = false;
        std::vector<std::string> ids;
    };
    std::vector<Work> work;
    auto work_of = [&](char kind) -> Work& {
        const auto at = std::ranges::find(work, kind, &Work::kind);
        return at == work.end() ? work.emplace_back(Work{.kind = kind}) : *at;
    };
    bool has_read_input = false;
    std::vector<std::string> input;
    for (const auto& [kind, text] : wishes) {
        if (text == "-" && !std::exchange(has_read_input, true)) input = read_ids();
        // -f: what is on hold is released, and everything expires.
        for (const char each : kind == 'f' ? std::vector<char>{'e', 'H'} : std::vector<char>{kind}) {
            Work& entry = work_of(each);
            if (text == "ALL") entry.is_all = true;
            else if (text == "-") entry.ids.insert(entry.ids.end(), input.begin(), input.end());
            else entry.ids.push_back(text);
        }
        if (text == "-") input.clear();
    }
    for (const Work& entry : work) command.apply(entry.kind, entry.is_all, entry.ids);
    command.print_totals();
    return command.has_failed() ? 1 : 0;
}

}  // namespace ekiden::tools
