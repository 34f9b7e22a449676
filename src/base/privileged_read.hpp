// PrivilegedRead: while it lives, the calling thread may read files that only root may (map files of mode 0600).
//
// The engine drops root after start but keeps one capability in its permitted set, unused: CAP_DAC_READ_SEARCH, or where the
// system does not give that (containers, as they are usually started) CAP_DAC_OVERRIDE, without which no key of mode 0600
// could be read there. Rooms that open configuration files and keys raise it in the effective set for the length of one
// open. Without either this does nothing. Guards nest. Thread: capabilities belong to a thread; use it on the stack.
#pragma once

#include <optional>

namespace ekiden::base {

// The one of the two to keep, as a number of capabilities(7); nothing where there is neither.
std::optional<int> reading_capability();

class [[nodiscard]] PrivilegedRead {
public:
    PrivilegedRead();
    ~PrivilegedRead();
    PrivilegedRead(const PrivilegedRead&) = delete;
    PrivilegedRead& operator=(const PrivilegedRead&) = delete;

private:
    int raised_ = -1;    // a capability
};

}  // namespace ekiden::base
