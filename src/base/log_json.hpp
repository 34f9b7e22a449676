// A log line as one JSON object (RFC 8259), for programs that collect logs: the same event as the ordinary line and not a
// word more. What the line's grammar says apart stands apart: queue id, event, client, addresses, status and so on.
//
//   {"time":"2026-11-22T04:34:42.123456Z","host":"mail","service":"postfix/smtp","pid":77,"level":"info",
//    "queue_id":"4D3C21","event":"delivery","to":"a@b.test","relay":"none","delay":0.1,…,"status":"sent","text":"…","message":"…"}
//
// `message` is the whole line behind the tag, so nothing is lost where the grammar does not fit ("event":"message").
// Parts of a line come from strangers: they are cut at fixed lengths, each name occurs once, and bytes that are no UTF-8
// become U+FFFD. Pure functions. Thread: any.
#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace ekiden::base {

inline constexpr std::size_t max_json_message =
    16384;  // bytes of a line that a record holds; what was cut has "cut":true

struct LogLine {
    WallTime when;
    std::string_view host, tag;     // tag: "postfix/smtpd"
    pid_t pid;
    LogLevel level;
    std::string_view text;          // without "warning: " and the like
};
// Without a newline at the end.
std::string json_record(const LogLine& line);

}  // namespace ekiden::base
