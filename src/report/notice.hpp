// The text of a delivery status notification (RFC 3464) around the returned message: pure, so that it can be compared
// byte for byte. The shell that queues it is bounce.cpp.
#pragma once

#include "deliver/agent.hpp"
#include "mail/envelope.hpp"
#include "report/templates.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::report {

enum class NoticeKind : std::uint8_t { failure, delay, success, status };

struct Notice {
    NoticeKind kind = NoticeKind::failure;
    const mail::Envelope* envelope = nullptr;          // of the message reported on
    const std::vector<deliver::Outcome>* outcomes = nullptr;
    bool is_postmaster_copy = false;                   // headers only, no words for people
    bool returns_headers_only = true;
    std::string text;                                  // expanded template text; not for postmaster copies
    std::string message_id;                            // of the message, for a thread of both; "" = none
    std::string charset, from, subject, to;            // header fields of the notification
    std::string myhostname, mail_name;
    std::string null_sender_name;                      // stands for <> where an address must be shown
    WallTime now{};
    Duration queue_lifetime{};                         // delay: Will-Retry-Until
    // Recipients given without a domain are completed in Original-Recipient.
    std::vector<std::string> original_recipients;      // by outcome; empty: the recipient's own
};

// Everything up to the first byte of the returned message, and what follows it.
struct NoticeText {
    std::string before, after;
};
NoticeText format_notice(const Notice& notice);

// Breaks at blanks so that no line is longer than `width` characters where words allow it; later lines are indented by
// four.
std::string fold_words(std::string_view text, std::size_t width = 79);

}  // namespace ekiden::report
