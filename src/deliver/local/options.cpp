#include "deliver/local/options.hpp"

#include "base/text.hpp"

#include <sys/stat.h>

namespace ekiden::deliver {

namespace {

bool has_word(const config::Settings& settings, std::string_view parameter, std::string_view word)
{
    for (const std::string& entry : settings.list(parameter)) {
        if (base::equal_ignoring_case(entry, word)) return true;
    }
    return false;
}

Contexts contexts(const config::Settings& settings, std::string_view parameter)
{
    return {has_word(settings, parameter, "alias"), has_word(settings, parameter, "forward"),
            has_word(settings, parameter, "include")};
}

// Who owns the file behind "hash:/etc/aliases". Root's files, and tables that are no files, have no owner in this sense.
std::optional<MailboxOwner> owner_of(std::string_view spec)
{
    constexpr std::pair<std::string_view, const char*> endings[] = {
        {"hash", ".db"}, {"btree", ".db"}, {"lmdb", ".lmdb"}, {"cdb", ".cdb"}, {"dbm", ".pag"}, {"sdbm", ".pag"}, {"texthash", ""}, {"regexp", ""}, {"pcre", ""},
    };
    if (spec.starts_with("proxy:")) spec.remove_prefix(6);
    std::size_t colon = spec.find(':');
    if (colon == spec.npos) return std::nullopt;
    for (const auto& [type, ending] : endings) {
        if (spec.substr(0, colon) != type) continue;
        struct stat info{};
        std::string path = std::string(spec.substr(colon + 1)) + ending;
        if (::stat(path.c_str(), &info) == 0 && info.st_uid != 0) return MailboxOwner{info.st_uid, info.st_gid};
    }
    return std::nullopt;
}

}  // namespace

std::shared_ptr<const LocalOptions> LocalOptions::from(const config::Settings& s, Logger logger)
{
    auto o = std::make_shared<LocalOptions>();
    table::OpenOptions strict;
    strict.forbids_substitution = true;   // a stranger's address must not become a command or file name
    std::string alias_maps = s.str("alias_maps");
    for (std::string_view spec : base::split_quoted_braces(alias_maps))
        o->aliases.push_back({table::Maps::open("alias_maps", spec, strict), owner_of(spec)});
    o->users = users_known_at_once();
    o->mailbox_transport_maps = table::Maps::open("mailbox_transport_maps", s.str("mailbox_transport_maps"), strict);
    o->mailbox_command_maps = table::Maps::open("mailbox_command_maps", s.str("mailbox_command_maps"), strict);
    o->fallback_transport_maps = table::Maps::open("fallback_transport_maps", s.str("fallback_transport_maps"), strict);
    o->mailbox_transport = s.str("mailbox_transport");
    o->mailbox_command = s.str("mailbox_command");
    o->fallback_transport = s.str("fallback_transport");
    o->luser_relay = s.str("luser_relay");
    o->home_mailbox = s.str("home_mailbox");
    o->spool_directory = s.str("mail_spool_directory");
    std::string forward_path = s.str("forward_path");
    for (std::string_view path : base::split_quoted_braces(forward_path)) o->forward_path.emplace_back(path);
    o->forward_filter = s.str("forward_expansion_filter");
    o->command_filter = s.str("command_expansion_filter");
    o->directory_filter = s.str("execution_directory_expansion_filter");
    o->command_directory = s.str("command_execution_directory");
    o->command_shell = s.str("local_command_shell");
    o->queue_directory = s.str("queue_directory");
    o->delimiter = s.str("recipient_delimiter");
    o->owner_request_special = s.boolean("owner_request_special");
    o->expands_owner = s.boolean("expand_owner_alias");
    o->resets_owner = s.boolean("reset_owner_alias");
    o->is_delivered_to_frozen = s.boolean("frozen_delivered_to");
    o->requires_home = s.boolean("require_home_directory");
    o->marks_commands = has_word(s, "prepend_delivered_header", "command");
    o->marks_files = has_word(s, "prepend_delivered_header", "file");
    o->marks_forwards = has_word(s, "prepend_delivered_header", "forward");
    o->commands = contexts(s, "allow_mail_to_commands");
    o->files = contexts(s, "allow_mail_to_files");
    o->propagation = contexts(s, "propagate_unmatched_extensions");
    o->duplicate_limit = static_cast<std::size_t>(std::max<std::int64_t>(s.integer("duplicate_filter_limit"), 0));
    o->line_limit = static_cast<std::size_t>(std::max<std::int64_t>(s.integer("line_length_limit"), 512));
    o->time_limit =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(s.time("command_time_limit").count(), 1, 1'000'000));
    o->mailbox = MailboxSettings::from(s, "mailbox_size_limit", "mailbox_delivery_lock");
    o->mailbox.logger = std::move(logger);
    o->mailbox.tells_users = s.boolean("biff");
    // A machine without that user can deliver all mail but that to commands and files of its aliases.
    if (auto user = find_user_now(s.str("default_privs")); user) o->default_user = *user;
    o->exported = exported_environment(s);
    return o;
}

}  // namespace ekiden::deliver
