// What master and engine say to each other over a SOCK_SEQPACKET pair: short text, perhaps with descriptors.
//
// master → engine:  "socket <service> <endpoint>" + one listening socket per core · "control" + socket · "helper" +
//                   socket · "log" + log file · "json-log" + file of records · "go" · "reload" (after the sockets of the new settings) ·
//                   "reopen-log" + log file · "reopen-json-log" + file of records · "stop"
// engine → master:  "ready" · "reloaded" · "failed <text>" · "reopen" (cannot happen today; unknown words are ignored)
// Bounded: 4,096 bytes and 64 descriptors a message. Thread: one at a time per side.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::daemon {

struct Message {
    std::string text;
    std::vector<Fd> descriptors;
};

Result<void> send_message(int socket, std::string_view text, std::span<const int> descriptors = {});
// ErrorCode::closed when the other side is gone.
Result<Message> receive_message(int socket);
Result<std::pair<Fd, Fd>> message_pair();

}  // namespace ekiden::daemon
