#include "base/fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::base {

void Fd::reset(int fd)
{
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

Result<Fd> open_file(const std::string& path, int flags, mode_t mode)
{
    int fd;
    do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return fail(Error::from_errno("open", path));
    return Fd(fd);
}

Result<void> write_all(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Error::from_errno("write"));
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<void> write_all_at(int fd, std::string_view bytes, off_t offset)
{
    while (!bytes.empty()) {
        ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Error::from_errno("write"));
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += n;
    }
    return {};
}

Result<std::size_t> read_at(int fd, std::span<char> buffer, off_t offset)
{
    std::size_t done = 0;
    while (done < buffer.size()) {
        ssize_t n = ::pread(fd, buffer.data() + done, buffer.size() - done, offset + static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Error::from_errno("read"));
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

Result<std::string> read_file(const std::string& path, std::size_t limit)
{
    auto file = open_file(path, O_RDONLY);
    if (!file) return std::unexpected(file.error());
    std::string content;
    char buffer[65536];
    for (;;) {
        ssize_t n = ::read(file->get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Error::from_errno("read", path));
        if (n == 0) return content;
        if (content.size() + static_cast<std::size_t>(n) > limit)
            return fail(ErrorCode::too_long, "read " + path + ": file too large");
        content.append(buffer, static_cast<std::size_t>(n));
    }
}

Result<void> sync_file(int fd)
{
    if (::fsync(fd) < 0) return fail(Error::from_errno("fsync"));
    return {};
}

Result<void> sync_folder(const std::string& path)
{
    auto folder = open_file(path, O_RDONLY | O_DIRECTORY);
    if (!folder) return std::unexpected(folder.error());
    if (::fsync(folder->get()) < 0) return fail(Error::from_errno("fsync", path));
    return {};
}

Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode)
{
    std::string temporary = path + ".tmp" + std::to_string(::getpid());
    auto written = [&]() -> Result<void> {
        auto file = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
        if (!file) return std::unexpected(file.error());
        if (::fchmod(file->get(), mode) < 0) return fail(Error::from_errno("chmod", temporary));
        EKIDEN_TRY(write_all(file->get(), content));
        EKIDEN_TRY(sync_file(file->get()));
        if (::rename(temporary.c_str(), path.c_str()) < 0) return fail(Error::from_errno("rename", path));
        return {};
    }();
    if (!written) {
        ::unlink(temporary.c_str());
        return written;
    }
    std::size_t slash = path.rfind('/');
    return sync_folder(slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace ekiden::base
