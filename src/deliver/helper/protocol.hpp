// What engine and helper say to each other over SOCK_SEQPACKET: one request a datagram, one answer or several in a row.
// Pure; bounded: a request with its small content has at most `max_request` bytes, and so has a datagram of answers; lists
// have at most `max_items` entries. A request that does not decode is refused as a whole, never half understood.
#pragma once

#include "base/result.hpp"
#include "mail/status.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace ekiden::deliver {

inline constexpr std::size_t max_request = 96 << 10;
inline constexpr std::size_t max_inline_content = 64 << 10;   // larger content comes as a descriptor
inline constexpr std::size_t max_items = 256;

struct HelperRequest {
    enum class Kind : std::uint8_t {
        maildir,     // path: the maildir's folder, made if missing
        mailbox,     // path: an mbox file (or any file), appended with the locks of `locks`
        command,     // path: a shell command line, or the program when `arguments` is not empty
        read_file,   // path: a file of the user (.forward, :include:); the answer's `text` is the piece at `offset`
    };
    std::uint64_t number = 0;        // echoed in the answer; Helper::ask() sets it
    Kind kind = Kind::maildir;
    bool has_descriptor = false;  // the content comes as a descriptor; Helper::ask() sets it. One that got lost on the
                                  // way is noticed by this, or an empty message would be delivered
    std::uint32_t uid = 0, gid = 0;  // who to become; 0 only to read root's files and for root's own mailbox
    std::string user;                // login name, for supplementary groups; "" = none
    std::string path;
    std::string host_name;           // maildir file names
    std::string prefix;              // lines that stand before the content (From_, Return-Path, Delivered-To …)
    std::string suffix;              // after it (mbox: the empty line)
    std::string content;             // when no descriptor comes along
    bool quotes_from = false;        // mbox: ">From "
    bool quotes_dots = false;        // command: ".." for a line that starts with "." (BSMTP)
    std::string line_end;            // command: instead of a newline; "" = newline
    bool is_in_spool = false;        // mailbox, maildir: the parent folder belongs to the system, not to the user
    bool checks_owner = false;       // mailbox: a file that is not the user's own is refused
    bool refuses_link = false;       // read_file: a link is no regular file
    std::uint8_t locks = 0;          // 1 fcntl, 2 flock, 4 dotlock
    std::uint32_t lock_limit = 20;   // seconds to try
    std::uint32_t stale_lock_limit = 500;   // seconds after which a dotlock's maker is dead
    std::uint64_t size_limit = 0;    // mailbox_size_limit; 0 = none
    std::vector<std::string>
        unless;  // maildir, mailbox: when the user has one of these files (a .forward) nothing is done
    std::uint64_t offset = 0;        // read_file
    std::uint32_t time_limit = 0;    // command: seconds
    std::string directory;           // command: where it runs
    std::string root;  // command: an absolute path that becomes "/" first; setuid programs gain nothing there
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment;
};

struct HelperAnswer {
    enum class Kind : std::uint8_t {
        done,
        failed,         // `os_error` and `text` say why; temporary or not is the agent's judgement
        exited,         // command: `exit_status`, output in `text`
        killed,         // command: signal in `exit_status`
        timed_out,      // command
        withheld,       // maildir, mailbox: one of `unless` may be there
    };
    std::uint64_t number = 0;
    Kind kind = Kind::failed;
    std::int32_t os_error = 0;
    std::int32_t exit_status = 0;
    std::uint32_t uid = 0, gid = 0, mode = 0;   // read_file: whose file it is and who else may write it
    std::uint64_t size = 0;                     // read_file: of the whole file; mailbox: where the message begins
    std::int64_t changed_at = 0;  // read_file: mtime in nanoseconds; pieces belong together when it is the same
    std::string what;      // failed: which step ("open", "lock", "fsync", "become user", "execvp")
    std::string text;      // failed: the complete message; command: its output, at most 2 KiB
};

std::string encode(const HelperRequest& request);
Result<HelperRequest> decode_request(std::string_view bytes);
std::string encode(const HelperAnswer& answer);
// What one datagram holds.
Result<std::vector<HelperAnswer>> decode_answers(std::string_view bytes);

// Errors of opening a file that mean: this user has no such file.
bool means_no_file(int os_error);

}  // namespace ekiden::deliver
