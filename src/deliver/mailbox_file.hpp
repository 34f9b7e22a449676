// Delivery of one message into one Maildir or mailbox through the helper: what stands before the content, and what the
// helper's answer means. Shared by local(8) and virtual(8).
#pragma once

#include "deliver/agent.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace ekiden::deliver {

struct MailboxOwner {
    std::uint32_t uid = 0, gid = 0;
    std::string user;             // login name, or "" (virtual users have none)
};

struct MailboxSettings {
    std::uint64_t size_limit = 0;    // mailbox_size_limit, virtual_mailbox_limit
    std::uint8_t locks = 1;          // of an mbox file: see HelperRequest::locks
};
// "fcntl, dotlock" → HelperRequest::locks; throws config::ConfigError on an unknown word.
std::uint8_t parse_locks(const config::Settings& settings, std::string_view parameter);

// Return-Path, X-Original-To (when the envelope has it), Delivered-To; with `with_from_line` the mbox separator first.
std::string delivery_prefix(const Job& job, std::uint32_t recipient, std::string_view delivered_to, bool with_from_line);

// `path` ending in '/' is a Maildir, else an mbox file. The outcome is complete but for `relay`.
Task<Outcome> deliver_to_file(Helper& helper, const Job& job, std::uint32_t recipient, std::string path, std::string delivered_to,
                              const MailboxOwner& owner, const MailboxSettings& settings);

// The whole content for the helper: inside the request when small, else as an unlinked file in memory.
Task<Result<void>> attach_content(const queue::ContentPtr& content, HelperRequest& request, Fd& descriptor);

}  // namespace ekiden::deliver
