#include "table/index_file.hpp"

#include "table/index_libraries.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>

namespace ekiden::table {

namespace {

constexpr std::array formats{
    IndexFormat{"btree", ".db", true, true, false},
    IndexFormat{"cdb", ".cdb", false, false, false},
    IndexFormat{"hash", ".db", true, true, false},
    IndexFormat{"lmdb", ".lmdb", true, true, true},
};

}  // namespace

const IndexFormat* find_index_format(std::string_view type)
{
    for (const auto& format : formats) {
        if (format.type == type) return &format;
    }
    return nullptr;
}

Result<std::unique_ptr<IndexFile>> open_index_file(const IndexFormat& format, const std::string& path,
                                                   IndexFile::Mode mode, mode_t permissions, std::size_t expected_bytes)
{
    if (format.type == "lmdb") return open_lmdb_file(path, mode, permissions);
    if (format.type == "cdb") return open_cdb_file(path, mode, permissions);
    return open_berkeley_file(format.type, path, mode, permissions, expected_bytes);
}

Result<void> lock_index_file(int fd, const IndexFormat& format, bool is_exclusive, int patience_ms)
{
    // The lock is asked for again and again instead of waited for, so that a stuck writer means trouble, not a hang.
    for (int waited_ms = 0;; ++waited_ms) {
        int status = 0;
        if (format.is_posix_locked) {
            // Belongs to the descriptor, but stands against the classic fcntl locks of other programs.
            struct flock lock{};
            lock.l_type = is_exclusive ? F_WRLCK : F_RDLCK;
            lock.l_whence = SEEK_SET;
            status = ::fcntl(fd, F_OFD_SETLK, &lock);
        } else {
            status = ::flock(fd, (is_exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
        }
        if (status == 0) return {};
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) return fail(Error::from_errno("lock database"));
        if (waited_ms >= patience_ms) return fail(ErrorCode::timeout, "lock database: another program holds the lock");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void unlock_index_file(int fd, const IndexFormat& format)
{
    if (format.is_posix_locked) {
        struct flock lock{};
        lock.l_type = F_UNLCK;
        lock.l_whence = SEEK_SET;
        (void)::fcntl(fd, F_OFD_SETLK, &lock);
    } else {
        (void)::flock(fd, LOCK_UN);
    }
}

}  // namespace ekiden::table
