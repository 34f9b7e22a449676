// What engine and helper say to each other: one datagram a request, one an answer, over SOCK_SEQPACKET. Pure; bounded:
// a request with its small content has at most `max_request` bytes, lists at most `max_items` entries. A request that
// does not decode is refused as a whole, never half understood.
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
        read_file,   // path: a small file of the user (.forward, :include:); the answer's `text` is its content
    };
    std::uint64_t number = 0;        // echoed in the answer
    Kind kind = Kind::maildir;
    std::uint32_t uid = 0, gid = 0;  // who to become; never 0 for maildir, mailbox and command
    std::string user;                // login name, for supplementary groups; "" = none
    std::string path;
    std::string host_name;           // maildir file names
    std::string prefix;              // lines that stand before the content (From_, Return-Path, Delivered-To …)
    std::string suffix;              // after it (mbox: the empty line)
    std::string content;             // when no descriptor comes along
    bool quotes_from = false;        // mbox: ">From "
    std::uint8_t locks = 0;          // 1 fcntl, 2 flock, 4 dotlock
    std::uint64_t size_limit = 0;    // mailbox_size_limit; 0 = none
    std::uint32_t time_limit = 0;    // command: seconds
    std::string directory;           // command: where it runs
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
    };
    std::uint64_t number = 0;
    Kind kind = Kind::failed;
    std::int32_t os_error = 0;
    std::int32_t exit_status = 0;
    std::string what;      // failed: which step ("open", "lock", "write", "fsync", "become user")
    std::string text;      // failed: the complete message; command: its output, at most 2 KiB
};

std::string encode(const HelperRequest& request);
Result<HelperRequest> decode_request(std::string_view bytes);
std::string encode(const HelperAnswer& answer);
Result<HelperAnswer> decode_answer(std::string_view bytes);

}  // namespace ekiden::deliver
