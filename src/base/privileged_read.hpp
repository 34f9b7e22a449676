// PrivilegedRead: while it lives, the calling thread may read files that only root may (map files of mode 0600).
//
// The engine drops root after start but keeps CAP_DAC_READ_SEARCH in its permitted set, unused. Rooms that open
// configuration files on reload raise it in the effective set for the length of one open. Without the capability in
// the permitted set this does nothing. Guards nest. Thread: capabilities belong to a thread; use it on the stack.
#pragma once

namespace ekiden::base {

class [[nodiscard]] PrivilegedRead {
public:
    PrivilegedRead();
    ~PrivilegedRead();
    PrivilegedRead(const PrivilegedRead&) = delete;
    PrivilegedRead& operator=(const PrivilegedRead&) = delete;

private:
    bool is_raised_ = false;
};

}  // namespace ekiden::base
