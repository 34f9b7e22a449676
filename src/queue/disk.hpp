// The few file operations that the log is made of, behind a small interface: what the disk may refuse, tear or lose
// passes through here, so that it can be made to happen. posix_disk() is the real one. Thread: any; a DiskFile may be
// read by several threads while one writes.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::queue {

class DiskFile {
public:
    virtual ~DiskFile() = default;
    // All pieces, one after the other, from `offset` on.
    virtual Result<void> write_at(std::span<const std::string_view> pieces, std::uint64_t offset) = 0;
    virtual Result<void> sync() = 0;    // content (and size, where it changed) is on the disk
    // Fewer bytes than asked only at the end of the file.
    virtual Result<std::size_t> read_at(std::span<char> buffer, std::uint64_t offset) const = 0;
    virtual Result<std::uint64_t> size() const = 0;
};

class Disk {
public:
    enum class Mode { read, write, create };    // create: new and empty, replacing what is there

    virtual ~Disk() = default;
    virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path, Mode mode) = 0;
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& path) = 0;
    virtual Result<std::vector<std::string>> names(const std::string& folder) = 0;    // without "." and ".."
    virtual Result<void> make_folder(const std::string& path) = 0;                    // nothing to do if it is there
    virtual Result<void> sync_folder(const std::string& path) = 0;                    // names in it are on the disk
    virtual Result<std::uint64_t> free_space(const std::string& folder) = 0;          // bytes for this user
    // Held until the file is closed, by this process only; `refused` when another holds it.
    virtual Result<std::unique_ptr<DiskFile>> lock(const std::string& path) = 0;
};

Disk& posix_disk();

}  // namespace ekiden::queue
