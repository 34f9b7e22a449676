// The datagrams between engine, dispatcher and workers: receiving one with its descriptor, passing one on, answering.
// Plain blocking calls for the helper's processes.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "deliver/helper/protocol.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ekiden::deliver {

struct Datagram {
    std::string bytes;
    Fd content;
    std::uint64_t number = 0;    // of the request, once it is decoded
};

// ErrorCode::closed at the end, ErrorCode::unavailable when nothing waits and `flags` has MSG_DONTWAIT. One thread only.
Result<Datagram> receive(int socket, int flags);

// `later`: the socket's buffer is full. `no`: nobody is there any more; errno says why.
enum class Passed { yes, later, no };
Passed pass_on(int socket, const Datagram& datagram);
// One datagram, and `content` with it unless that is -1. False: errno says why.
bool send_datagram(int socket, std::string_view bytes, int content, int flags);

void reply(int engine, const HelperAnswer& answer);
// In as few datagrams as hold them.
void reply(int engine, std::span<const HelperAnswer> answers);
// Answers "failed": which step, and why.
void refuse(int engine, std::uint64_t number, std::string what, int error);

}  // namespace ekiden::deliver
