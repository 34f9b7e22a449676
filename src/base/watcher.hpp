// Who wants to see why something is decided as it is (`ekiden explain`) puts a Watcher in force before the work begins. The
// rooms that decide tell it: which restriction answered what, which entry of which table counted, where a connection would
// go. Nobody else pays more than a look at a null pointer, and nothing is decided by what a Watcher says, except that it
// may forbid what others would notice (a policy service asked, a server spoken to).
//
// Words that come in are from configuration, tables and peers: whoever shows them makes them printable. Thread: put in
// force and taken away while nothing runs; told from any thread.
#pragma once

#include <atomic>
#include <string_view>

namespace ekiden::base {

class Watcher {
public:
    virtual ~Watcher() = default;

    // Something that has parts begins ("restriction", "reject_rbl_client", "zen.example") and ends with an answer.
    virtual void enter(std::string_view what, std::string_view name, std::string_view detail) = 0;
    virtual void leave(std::string_view answer) = 0;
    // One fact. "lookup": name is the parameter, where the table, key and value its entry. What others mean is said where
    // they are told.
    virtual void note(std::string_view what, std::string_view name, std::string_view key = {},
                      std::string_view value = {}, std::string_view where = {}) = 0;
    // May this be done, though others would notice? False: it is named by the caller and left out.
    virtual bool permits(std::string_view act, std::string_view name) = 0;
};

inline std::atomic<Watcher*> watcher_in_force{nullptr};

inline Watcher* watcher() { return watcher_in_force.load(std::memory_order_relaxed); }
inline void use_watcher(Watcher* watcher) { watcher_in_force.store(watcher, std::memory_order_relaxed); }

}  // namespace ekiden::base
