// Delivery of one message into one Maildir or mailbox through the helper: what stands before the content, and what the
// helper's answer means. Shared by local(8) and virtual(8).
#pragma once

#include "deliver/agent.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::deliver {

struct MailboxOwner {
    std::uint32_t uid = 0, gid = 0;
};

struct MailboxSettings {
    std::uint64_t size_limit = 0;    // mailbox_size_limit, virtual_mailbox_limit
    std::uint8_t locks = 1;          // of an mbox file: see HelperRequest::locks
    std::uint32_t lock_limit = 20, stale_lock_limit = 500;   // seconds
    bool checks_owner = true;        // strict_mailbox_ownership
    bool has_original_to = true;     // enable_original_recipient: X-Original-To is written
    bool is_virtual = false;         // virtual(8): all but a quota is tried again
    bool tells_users = false;        // biff
    Logger logger;                   // for hints to the administrator

    // `locks_parameter`: mailbox_delivery_lock or virtual_mailbox_lock. Throws config::ConfigError on an unknown word.
    static MailboxSettings from(const config::Settings& settings, std::string_view limit_parameter,
                                std::string_view locks_parameter);
};

// What the fields in front of a delivered message say; internal form.
struct DeliveryFacts {
    std::string sender, original, delivered_to;
    bool has_delivered_to = true;    // prepend_delivered_header
};
DeliveryFacts facts_of(const Job& job, std::uint32_t recipient);

// "From sender  date" with a newline.
std::string from_line(std::string_view sender);   // "" is MAILER-DAEMON
// Return-Path, X-Original-To (unless `original` is empty), Delivered-To; with `with_from_line` the mbox separator first.
std::string delivery_prefix(const DeliveryFacts& facts, bool with_from_line);

struct FileTarget {
    std::string path;                // ending in '/': a Maildir, else an mbox file
    std::string user_name;           // for the text of a failure
    MailboxOwner owner;
    bool is_mailbox = true;          // false: a file that an alias names
    bool is_in_spool = false;
    bool is_virtual = false;
};

// The outcome is complete but for `relay` and `recipient`.
Task<Outcome> deliver_to_file(Helper& helper, const Job& job, FileTarget target, DeliveryFacts facts,
                              MailboxSettings settings);
// Nothing when the owner may have one of the files `unless`: then nothing was delivered.
Task<std::optional<Outcome>> deliver_to_file_unless(Helper& helper, const Job& job, FileTarget target,
                                                    DeliveryFacts facts, MailboxSettings settings,
                                                    std::vector<std::string> unless);

// What the helper's answer to a Maildir or mailbox request means. Pure.
Outcome file_outcome(const HelperAnswer& answer, const FileTarget& target);

// The whole content for the helper: inside the request when small, else as an unlinked file in memory.
Task<Result<void>> attach_content(queue::ContentPtr content, HelperRequest& request, Fd& descriptor);

}  // namespace ekiden::deliver
