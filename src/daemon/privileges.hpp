// What each process may do, as a structure and not a habit. Called once at the start of a role, before threads.
#pragma once

#include "base/result.hpp"
#include "daemon/layout.hpp"

namespace ekiden::daemon {

// Becomes mail_owner with no supplementary groups but setgid_group. One capability stays permitted, not effective:
// CAP_DAC_READ_SEARCH (base::reading_capability), which base::PrivilegedRead raises in one thread while tables and keys that
// only root may read are opened (a password map with mode 0600 must survive a reload). No-op without root.
Result<void> become_engine(const Owner& owner);

// No new privileges, no programs: a seccomp filter answers EPERM to execve, ptrace, mount and the like.
Result<void> forbid_programs();

// The environment that import_environment names, and nothing else: `name` keeps the starter's value, `name=value` sets
// one. Commands that local(8) runs see what export_environment picks from it. Before threads.
void import_environment(const config::Settings& settings);

// While it lives, this thread does to files what it does as the mail owner, and not as root.
class AsOwner {
public:
    explicit AsOwner(const Owner& owner);
    ~AsOwner();
    AsOwner(const AsOwner&) = delete;
    AsOwner& operator=(const AsOwner&) = delete;

private:
    bool is_root_;
};

// As many descriptors as the system lets us have: a connection needs one.
void raise_descriptor_limit();

}  // namespace ekiden::daemon
