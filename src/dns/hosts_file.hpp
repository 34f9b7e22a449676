// /etc/hosts (hosts(5)): names to addresses and back, read again when the file changes (looked at once a second).
// A file that cannot be read counts as empty, as the C library does. Thread: any.
#pragma once

#include "base/clock.hpp"
#include "dns/resolver.hpp"

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sys/stat.h>

namespace ekiden::dns {

class HostsFile {
public:
    explicit HostsFile(std::string path) : path_(std::move(path)) {}
    // A and AAAA by host name, PTR by reverse name; nothing when the file does not know the name. A name that has an
    // address of the other family only is known, without a record of this one.
    std::optional<Answer> find(std::string_view name, Type type);

private:
    struct Entry {
        std::vector<net::Address> addresses;
        std::string canonical;   // PTR
    };
    void reread();
    const std::string path_;
    std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
    base::SteadyTime looked_at_{};
    struct timespec changed_at_ {};
    ino_t inode_ = 0;
    off_t size_ = -1;
};

}  // namespace ekiden::dns
