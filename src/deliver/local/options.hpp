// What local(8) is told by its service's settings, read once per snapshot. Immutable; any core.
#pragma once

#include "config/settings.hpp"
#include "deliver/local/command.hpp"
#include "deliver/local/users.hpp"
#include "deliver/mailbox_file.hpp"
#include "table/maps.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::deliver {

// One table of alias_maps with the user whose commands and files its entries may name (none: default_privs).
struct AliasTable {
    table::Maps maps;
    std::optional<MailboxOwner> owner;
};

// Where an address came from decides what it may be: allow_mail_to_commands, propagate_unmatched_extensions…
struct Contexts {
    bool alias = false, forward = false, include = false;
};

struct LocalOptions {
    std::vector<AliasTable> aliases;
    table::Maps users;
    table::Maps mailbox_transport_maps, mailbox_command_maps, fallback_transport_maps;
    std::string mailbox_transport, mailbox_command, fallback_transport, luser_relay;
    std::string home_mailbox, spool_directory;
    std::vector<std::string> forward_path;
    std::string forward_filter, command_filter, directory_filter;
    std::string command_directory, command_shell, queue_directory;
    std::string delimiter;
    bool owner_request_special = true, expands_owner = false, resets_owner = false;
    bool is_delivered_to_frozen = true, requires_home = false;
    bool marks_commands = true, marks_files = true, marks_forwards = true;   // prepend_delivered_header
    Contexts commands, files, propagation;
    std::size_t duplicate_limit = 1000, line_limit = 2048;
    std::uint32_t time_limit = 1000;
    MailboxSettings mailbox;
    std::optional<User> default_user;
    Environment exported;

    // Throws config::ConfigError.
    static std::shared_ptr<const LocalOptions> from(const config::Settings& settings, Logger logger);
};

}  // namespace ekiden::deliver
