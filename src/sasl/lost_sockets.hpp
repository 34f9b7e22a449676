// Sockets that libsasl2 has forgotten. When saslauthd hangs up without an answer, the library (2.1.28) leaves its end
// open; a process that lives for months would run out of descriptors. Whoever calls close_lost() every now and then
// closes them.
//
// A lost socket is a connected Unix socket whose other side had a name and is gone, and was so for as long as
// `patience` at the same number: what is in use learns of the end at once, and closes. No listener, no accepted
// connection, no socket of a log.
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <map>

#include <sys/types.h>

namespace ekiden::sasl {

class LostSockets {
public:
    explicit LostSockets(std::chrono::milliseconds patience) : patience_(patience) {}
    // The number of sockets closed.
    std::size_t close_lost(SteadyTime now);

private:
    struct Seen {
        ino_t inode;
        SteadyTime since;
    };
    std::chrono::milliseconds patience_;
    std::map<int, Seen> seen_;
};

}  // namespace ekiden::sasl
