// The master's end of the commands' log (postlogd in Postfix): a datagram socket in the queue's public folder, whose
// lines are written where the master's own go, with the sender's process id.
//
// Who may reach the socket are root, the mail owner and the programs of the setgid group. The kernel names the user; an
// ordinary one's line may carry the name of a command that people run, or a name that is none of the mail system's, but
// not that of a server: what reads the log believes those. Such a line is written as postlog's. Thread: the master's.
#pragma once

#include "base/fd.hpp"
#include "base/log_relay.hpp"
#include "base/result.hpp"

#include <string>
#include <sys/types.h>

namespace ekiden::daemon {

class PostlogServer {
public:
    // Makes the socket anew. `uid`, `gid`: its owner, where the caller may give it away.
    Result<void> open(const std::string& path, bool sets_owner, uid_t uid, gid_t gid);
    int descriptor() const { return socket_.get(); }
    // Writes what waits, `most` lines at a time, so that a flood of them does not keep the master from its work.
    void receive(const std::string& syslog_name, std::size_t most = 64);
    // Takes no more, and writes what is still there.
    void close(const std::string& syslog_name);

private:
    std::string path_;
    Fd socket_;
};

// The tag under which a line of this user is written.
bool may_use_tag(std::string_view tag, std::string_view syslog_name, bool is_administrator);

}  // namespace ekiden::daemon
