#include "table/index_writer.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::table {

namespace {

constexpr int lock_patience_ms = 60'000;  // another postmap of a large table may take that long
constexpr int lock_attempts = 16;

std::string folder_of(const std::string& path)
{
    const std::size_t slash = path.rfind('/');
    return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> copy_content(int from, int to)
{
    char buffer[65536];
    off_t offset = 0;
    for (;;) {
        EKIDEN_TRY_VALUE(count, base::read_at(from, buffer, offset));
        if (count == 0) return {};
        EKIDEN_TRY(base::write_all_at(to, std::string_view(buffer, count), offset));
        offset += static_cast<off_t>(count);
    }
}

}  // namespace

Result<void> IndexWriter::lock_target()
{
    for (int attempt = 0; attempt < lock_attempts; ++attempt) {
        char resolved[PATH_MAX];
        target_ = ::realpath(path_.c_str(), resolved) ? resolved : path_;
        lock_.reset(::open(target_.c_str(), O_RDWR | O_CLOEXEC));
        if (!lock_) {
            if (errno == ENOENT) return {};
            return fail(Error::from_errno("open", path_));
        }
        EKIDEN_TRY(lock_index_file(lock_.get(), format_, true, lock_patience_ms));
        struct stat locked{}, named{};
        if (::fstat(lock_.get(), &locked) == 0 && ::stat(target_.c_str(), &named) == 0 &&
            locked.st_ino == named.st_ino && locked.st_dev == named.st_dev) {
            return {};
        }
        // Somebody put a new file there while we waited for the old one: take that one.
    }
    return fail(ErrorCode::unavailable, "open " + path_ + ": the file keeps changing");
}

// A fresh name for the work file, holding a copy of the old table or nothing at all (the libraries want to create the
// file themselves).
Result<std::string> IndexWriter::make_work_file(bool is_copy)
{
    int first_error = 0;
    const std::string beside = target_ + ".XXXXXX";
    const std::string elsewhere = "/tmp/" + target_.substr(target_.rfind('/') + 1) + ".XXXXXX";
    for (const bool is_elsewhere : {false, true}) {
        std::string path = is_elsewhere ? elsewhere : beside;
        Fd file(::mkostemp(path.data(), O_CLOEXEC));
        if (!file) {
            if (!first_error) first_error = errno;
            // Only a file that is there already can be filled from another folder.
            if (!lock_) break;
            continue;
        }
        is_elsewhere_ = is_elsewhere;
        if (is_copy) {
            if (auto copied = copy_content(lock_.get(), file.get()); !copied) {
                ::unlink(path.c_str());
                return std::unexpected(std::move(copied).error());
            }
        } else {
            ::unlink(path.c_str());
        }
        return path;
    }
    return fail(Error::from_errno(first_error, "open", path_));
}

Result<std::unique_ptr<IndexWriter>> IndexWriter::open(const IndexFormat& format, const std::string& name,
                                                       const Options& options)
{
    std::unique_ptr<IndexWriter> writer(new IndexWriter(format));
    writer->path_ = name + std::string(format.suffix);
    writer->permissions_ = options.permissions;
    EKIDEN_TRY(writer->lock_target());
    if (!writer->lock_ && options.is_update && !options.may_create) {
        return fail(Error::from_errno(ENOENT, "open database", writer->path_));
    }
    const bool is_update = options.is_update && writer->lock_;
    const IndexFile::Mode mode = is_update ? IndexFile::Mode::update : IndexFile::Mode::create;
    if (format.type == "lmdb" && writer->lock_) {
        EKIDEN_TRY_VALUE(file, open_index_file(format, writer->target_, mode));
        writer->file_ = std::move(file);
        return writer;
    }
    EKIDEN_TRY_VALUE(work_path, writer->make_work_file(is_update));
    writer->work_path_ = work_path;
    EKIDEN_TRY_VALUE(file, open_index_file(format, work_path, mode, 0600, options.expected_bytes));
    writer->file_ = std::move(file);
    return writer;
}

IndexWriter::~IndexWriter()
{
    file_.reset();
    if (!work_path_.empty()) ::unlink(work_path_.c_str());
}

Result<void> IndexWriter::overwrite_target()
{
    Fd work(::open(work_path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!work) return fail(Error::from_errno("open", work_path_));
    if (::ftruncate(lock_.get(), 0) != 0) return fail(Error::from_errno("write", path_));
    EKIDEN_TRY(copy_content(work.get(), lock_.get()));
    return base::sync_file(lock_.get());
}

Result<void> IndexWriter::commit()
{
    EKIDEN_TRY(file_->close());
    file_.reset();
    if (work_path_.empty()) {
        // lmdb leaves the time of the file alone when nothing moved; readers and "older than source" go by it.
        ::futimens(lock_.get(), nullptr);
        return {};
    }
    if (is_elsewhere_) return overwrite_target();
    Fd work(::open(work_path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!work) return fail(Error::from_errno("open", work_path_));
    struct stat old{};
    if (lock_ && ::fstat(lock_.get(), &old) == 0) {
        permissions_ = old.st_mode & 07777;
        // May fail for a file of another owner in our folder; it then becomes ours, as any rewritten file does.
        if (::fchown(work.get(), old.st_uid, old.st_gid) != 0 && errno != EPERM)
            return fail(Error::from_errno("chown", path_));
    }
    if (::fchmod(work.get(), permissions_) != 0) return fail(Error::from_errno("chmod", path_));
    EKIDEN_TRY(base::sync_file(work.get()));
    if (::rename(work_path_.c_str(), target_.c_str()) != 0) return fail(Error::from_errno("rename", path_));
    work_path_.clear();
    return base::sync_folder(folder_of(target_));
}

}  // namespace ekiden::table
