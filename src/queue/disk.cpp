#include "queue/disk.hpp"

#include "base/fd.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

namespace ekiden::queue {
namespace {

class PosixFile final : public DiskFile {
public:
    PosixFile(base::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<void> write_at(std::span<const std::string_view> pieces, std::uint64_t offset) override
    {
        std::array<iovec, 256> vectors;
        std::size_t skipped = 0;    // bytes of the first piece that are written already
        while (!pieces.empty()) {
            std::size_t count = 0;
            for (const std::string_view& piece : pieces) {
                if (count == vectors.size()) break;
                vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
            }
            vectors[0].iov_base = static_cast<char*>(vectors[0].iov_base) + skipped;
            vectors[0].iov_len -= skipped;
            ssize_t written = ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return fail(Error::from_errno("write", path_));
            offset += static_cast<std::uint64_t>(written);
            skipped += static_cast<std::size_t>(written);
            while (!pieces.empty() && skipped >= pieces.front().size()) {
                skipped -= pieces.front().size();
                pieces = pieces.subspan(1);
            }
        }
        return {};
    }

    Result<void> sync() override
    {
        if (::fdatasync(fd_.get()) < 0) return fail(Error::from_errno("fdatasync", path_));
        return {};
    }

    Result<std::size_t> read_at(std::span<char> buffer, std::uint64_t offset) const override
    {
        auto read = base::read_at(fd_.get(), buffer, static_cast<off_t>(offset));
        if (!read) return fail(std::move(read).error().with(path_));
        return read;
    }

    Result<std::uint64_t> size() const override
    {
        struct stat status;
        if (::fstat(fd_.get(), &status) < 0) return fail(Error::from_errno("stat", path_));
        return static_cast<std::uint64_t>(status.st_size);
    }

private:
    base::Fd fd_;
    std::string path_;
};

class PosixDisk final : public Disk {
public:
    Result<std::unique_ptr<DiskFile>> open(const std::string& path, Mode mode) override
    {
        int flags = mode == Mode::read ? O_RDONLY : mode == Mode::write ? O_RDWR : O_RDWR | O_CREAT | O_TRUNC;
        EKIDEN_TRY_VALUE(fd, base::open_file(path, flags, 0600));
        return std::make_unique<PosixFile>(std::move(fd), path);
    }
    Result<void> rename(const std::string& from, const std::string& to) override
    {
        if (::rename(from.c_str(), to.c_str()) < 0) return fail(Error::from_errno("rename", from));
        return {};
    }
    Result<void> remove(const std::string& path) override
    {
        if (::unlink(path.c_str()) < 0) return fail(Error::from_errno("remove", path));
        return {};
    }
    Result<std::vector<std::string>> names(const std::string& folder) override
    {
        std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
        if (!open) return fail(Error::from_errno("open folder", folder));
        std::vector<std::string> names;
        for (errno = 0; dirent* entry = ::readdir(open.get()); errno = 0) {
            std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
        }
        if (errno != 0) return fail(Error::from_errno("read folder", folder));
        return names;
    }
    Result<void> make_folder(const std::string& path) override
    {
        if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return fail(Error::from_errno("make folder", path));
        return {};
    }
    Result<void> sync_folder(const std::string& path) override { return base::sync_folder(path); }
    Result<std::uint64_t> free_space(const std::string& folder) override
    {
        struct statvfs status;
        if (::statvfs(folder.c_str(), &status) < 0) return fail(Error::from_errno("statvfs", folder));
        return std::uint64_t{status.f_bavail} * status.f_frsize;
    }
    Result<std::unique_ptr<DiskFile>> lock(const std::string& path) override
    {
        EKIDEN_TRY_VALUE(fd, base::open_file(path, O_RDWR | O_CREAT, 0600));
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
            if (errno == EWOULDBLOCK) return fail(ErrorCode::refused, "lock " + path + ": another process holds it");
            return fail(Error::from_errno("lock", path));
        }
        return std::make_unique<PosixFile>(std::move(fd), path);
    }
};

}  // namespace

Disk& posix_disk()
{
    static PosixDisk disk;
    return disk;
}

}  // namespace ekiden::queue
