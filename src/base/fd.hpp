// An owned file descriptor and the few file operations that durability depends on. Thread: a value, one owner.
#pragma once

#include "base/result.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

namespace ekiden::base {

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() { reset(); }
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept
    {
        reset(other.release());
        return *this;
    }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

private:
    int fd_ = -1;
};

// All descriptors are opened close-on-exec.
Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0);
Result<void> write_all(int fd, std::string_view bytes);
Result<void> write_all_at(int fd, std::string_view bytes, off_t offset);
// Fewer bytes than asked only at the end of the file.
Result<std::size_t> read_at(int fd, std::span<char> buffer, off_t offset);
// The whole file, refusing one larger than `limit` bytes (too_long).
Result<std::string> read_file(const std::string& path, std::size_t limit);
Result<void> sync_file(int fd);                       // fsync
Result<void> sync_folder(const std::string& path);    // makes a name in the folder durable
// Writes beside `path`, syncs, renames over it, syncs the folder: old or new content, never half.
Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode);

}  // namespace ekiden::base

namespace ekiden {
using base::Fd;
}
