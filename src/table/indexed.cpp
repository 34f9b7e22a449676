// hash, btree, lmdb and cdb tables.
//
// Files up to max_loaded_bytes are read into memory once, under the lock that Postfix's postmap takes for writing, and
// answered from there: no lock, no library call and no half-written page on the path of a message, and a table that is
// being rewritten stays whole until the new one is complete. Larger files, and those that a command asks a few keys of,
// are opened and each lookup goes through the library under a mutex and a shared file lock. Measured without optimisation: 49 MiB with 700,000 entries load in 1.2 s
// and answer in 1 us; an 85 MiB file, which is not loaded, answers in 7 us.
#include "table/openers.hpp"

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "base/privileged_read.hpp"
#include "base/fold.hpp"
#include "base/text.hpp"
#include "table/dictionary.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace ekiden::table {

namespace {

constexpr std::uint64_t max_loaded_bytes = std::uint64_t{64} << 20;
constexpr int lock_patience_ms = 2000;
constexpr int lock_attempts = 16;   // a table that is replaced at every look
// Nobody writes such a file in less time; asking each time whether somebody did costs as much as the answer.
constexpr std::chrono::milliseconds believed_for{1};
// A source that was changed just now is probably about to be compiled; warn only about one left behind.
constexpr std::time_t grace_seconds = 100;

std::string_view without_nul(std::string_view record)
{
    return record.ends_with('\0') ? record.substr(0, record.size() - 1) : record;
}

class LoadedTable final : public Table {
public:
    LoadedTable(const OpenRequest& request, std::string path, FileStamp stamp, Dictionary entries)
        : Table(request.spec), path_(std::move(path)), stamp_(stamp), folds_(request.options.fold_keys),
          entries_(std::move(entries))
    {
    }
    Answer lookup(std::string_view key) const override
    {
        return folds_ ? entries_.find(base::fold_case(key)) : entries_.find(key);
    }
    bool is_stale() const override { return FileStamp::of(path_) != std::optional(stamp_); }

private:
    std::string path_;
    FileStamp stamp_;
    bool folds_;
    Dictionary entries_;
};

class LargeTable final : public Table {
public:
    LargeTable(const OpenRequest& request, std::string path, FileStamp stamp, const IndexFormat& format, Fd lock,
               std::unique_ptr<IndexFile> file)
        : Table(request.spec), path_(std::move(path)), stamp_(stamp), format_(format),
          folds_(request.options.fold_keys), opened_(Opened{std::move(lock), stamp, {}, std::move(file)})
    {
    }
    Answer lookup(std::string_view key) const override { return *look_up(key, lock_patience_ms); }
    bool may_block() const override { return true; }   // while somebody writes the file
    std::optional<Answer> lookup_at_once(std::string_view key) const override
    {
        if (is_stale()) return std::nullopt;
        return look_up(key, 0);
    }
    bool is_stale() const override { return FileStamp::of(path_) != std::optional(stamp_); }

private:
    // Nothing: the file is locked and there was no patience.
    std::optional<Answer> look_up(std::string_view key, int patience_ms) const
    {
        const std::string wanted = folds_ ? base::fold_case(key) : std::string(key);
        auto opened = opened_.lock();
        // The library caches pages: once the file changed, what it would answer may be half old and half new. Maps
        // opens the table anew within a second; until then it is followed here. A file that was replaced has its own lock.
        for (int attempt = 0; attempt < lock_attempts; ++attempt) {
            if (auto locked = lock_index_file(opened->lock.get(), format_, false, patience_ms); !locked) {
                if (patience_ms == 0) return std::nullopt;
                return Answer(std::unexpected(std::move(locked).error()));
            }
            const Unlocking unlocking{opened->lock, format_};
            const SteadyTime now = base::steady_now();
            if (now < opened->checked_at + believed_for) return find(*opened->file, wanted);
            opened->checked_at = now;
            if (FileStamp::of(path_) == std::optional(opened->stamp)) return find(*opened->file, wanted);
            opened->checked_at = {};
            if (auto fresh = open_again(*opened); !fresh) return Answer(std::unexpected(std::move(fresh).error()));
        }
        return Answer(fail(ErrorCode::unavailable, "open database " + path_ + ": the file keeps changing"));
    }

    struct Opened {
        Fd lock;          // the file itself, for its lock
        FileStamp stamp;  // of the file as the library opened it
        SteadyTime checked_at{};
        std::unique_ptr<IndexFile> file;
    };
    // Gives the lock back; where open_again() has put another file there meanwhile, that one's (the old one is closed).
    struct Unlocking {
        const Fd& lock;
        const IndexFormat& format;
        ~Unlocking() { unlock_index_file(lock.get(), format); }
    };

    Answer find(IndexFile& file, const std::string& wanted) const
    {
        for (const bool has_nul : {format_.has_nul, !format_.has_nul}) {
            auto found = file.get(has_nul ? wanted + '\0' : wanted);
            if (!found) return found;
            if (*found) return std::string(without_nul(**found));
        }
        return std::nullopt;
    }
    Result<void> open_again(Opened& opened) const
    {
        Fd file;
        {
            base::PrivilegedRead guard;
            file.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        }
        if (!file) return fail(Error::from_errno("open database", path_));
        // Locked before the library looks, or it might see a file half written.
        EKIDEN_TRY(lock_index_file(file.get(), format_, false, lock_patience_ms));
        struct stat status{};
        if (::fstat(file.get(), &status) != 0) return fail(Error::from_errno("open database", path_));
        EKIDEN_TRY_VALUE(fresh, open_index_file(format_, path_, IndexFile::Mode::read));
        opened.file = std::move(fresh);
        opened.stamp = FileStamp::of(status);
        opened.lock = std::move(file);
        return {};
    }

    std::string path_;
    FileStamp stamp_;
    const IndexFormat& format_;
    bool folds_;
    mutable base::Locked<Opened> opened_;
};

void warn_if_older_than_source(const OpenRequest& request, const std::string& path, const FileStamp& stamp)
{
    const auto source = FileStamp::of(request.name);
    if (!source || source->modified_at() <= stamp.modified_at()) return;
    if (source->modified_at() >= base::to_seconds(base::wall_now()) - grace_seconds) return;
    request.warn()("database " + path + " is older than source file " + request.name);
}

}  // namespace

Result<TablePtr> open_indexed(const OpenRequest& request)
{
    const IndexFormat& format = *find_index_format(request.type);
    std::string path = request.name + std::string(format.suffix);
    Fd file;
    {
        base::PrivilegedRead guard;
        file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    }
    if (!file) return fail(Error::from_errno("open database", path));
    EKIDEN_TRY(lock_index_file(file.get(), format, false, lock_patience_ms));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail(Error::from_errno("open database", path));
    const FileStamp stamp = FileStamp::of(status);
    EKIDEN_TRY_VALUE(index, open_index_file(format, path, IndexFile::Mode::read));
    warn_if_older_than_source(request, path, stamp);
    if (stamp.size() > max_loaded_bytes || !request.options.may_load) {
        unlock_index_file(file.get(), format);
        return std::make_shared<LargeTable>(request, std::move(path), stamp, format, std::move(file), std::move(index));
    }
    Dictionary entries;
    std::uint64_t bytes = 0;
    bool is_whole = true;
    auto loaded = index->for_each([&](std::string_view key, std::string_view value) {
        bytes += key.size() + value.size();
        // Records of a sound file fit into it; a damaged one must not make us read for ever.
        is_whole = bytes <= stamp.size() * 2 + 4096;
        if (is_whole) entries.add(std::string(without_nul(key)), std::string(without_nul(value)));
        return is_whole;
    });
    if (!loaded) return std::unexpected(std::move(loaded).error());
    if (!is_whole) return fail(ErrorCode::corrupt, "open database " + path + ": the file is damaged");
    return std::make_shared<LoadedTable>(request, std::move(path), stamp, std::move(entries));
}

}  // namespace ekiden::table
