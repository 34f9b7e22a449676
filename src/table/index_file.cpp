#include "table/index_file.hpp"

#include "base/fd.hpp"
#include "base/privileged_read.hpp"

#include <cdb.h>
#include <db.h>
#include <lmdb.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace ekiden::table {

namespace {

constexpr std::array formats{
    IndexFormat{"btree", ".db", true, true, false},
    IndexFormat{"cdb", ".cdb", false, false, false},
    IndexFormat{"hash", ".db", true, true, false},
    IndexFormat{"lmdb", ".lmdb", true, true, true},
};

// As Postfix's postmap creates hash files, so that both list the same records in the same order.
constexpr std::uint32_t berkeley_hash_elements = 4096;
constexpr std::uint32_t berkeley_page_size = 4096;
// Memory for a file being made. Measured with a million keys (80 MiB of pages): 6.5 s with 16 MiB, 1.8 s with 128 MiB.
constexpr std::size_t berkeley_smallest_cache = std::size_t{16} << 20;
constexpr std::size_t berkeley_largest_cache = std::size_t{512} << 20;
// The map of an LMDB file grows by doubling up to this.
constexpr std::size_t lmdb_first_map = std::size_t{16} << 20;
constexpr std::size_t lmdb_largest_map = std::size_t{16} << 30;

class BerkeleyFile final : public IndexFile {
public:
    static Result<std::unique_ptr<IndexFile>> open(const IndexFormat& format, const std::string& path, Mode mode,
                                                   mode_t permissions, std::size_t expected_bytes)
    {
        auto file = std::make_unique<BerkeleyFile>(path);
        if (int error = db_create(&file->db_, nullptr, 0)) return fail(file->trouble("create handle", error));
        DB* db = file->db_;
        db->set_errfile(db, nullptr);
        db->set_errcall(db, [](const DB_ENV*, const char*, const char*) {});  // what matters is in the return codes
        const std::size_t work_memory = std::clamp(expected_bytes * 3, berkeley_smallest_cache, berkeley_largest_cache);
        db->set_cachesize(db, 0, mode == Mode::read ? 256 * 1024 : static_cast<std::uint32_t>(work_memory), 0);
        const bool is_hash = format.type == "hash";
        if (mode == Mode::create) {
            db->set_pagesize(db, berkeley_page_size);
            if (is_hash) db->set_h_nelem(db, berkeley_hash_elements);
        }
        const std::uint32_t flags = mode == Mode::read     ? DB_RDONLY
                                    : mode == Mode::create ? DB_CREATE | DB_EXCL
                                                           : 0;
        int error = 0;
        {
            base::PrivilegedRead guard;
            error = db->open(db, nullptr, path.c_str(), nullptr, is_hash ? DB_HASH : DB_BTREE, flags,
                             static_cast<int>(permissions));
        }
        if (error) return fail(file->trouble("open database", error));
        return file;
    }

    explicit BerkeleyFile(std::string path) : path_(std::move(path)) {}
    ~BerkeleyFile() override
    {
        if (db_) db_->close(db_, DB_NOSYNC);
    }

    Result<std::optional<std::string>> get(std::string_view key) override
    {
        DBT k = dbt(key), v{};
        v.flags = DB_DBT_MALLOC;
        const int error = db_->get(db_, nullptr, &k, &v, 0);
        if (error == DB_NOTFOUND) return std::nullopt;
        if (error) return fail(trouble("read", error));
        std::string value(static_cast<const char*>(v.data), v.size);
        std::free(v.data);
        return value;
    }

    Result<void> for_each(const std::function<bool(std::string_view, std::string_view)>& visit) override
    {
        DBC* cursor = nullptr;
        if (int error = db_->cursor(db_, nullptr, &cursor, 0)) return fail(trouble("read", error));
        const std::unique_ptr<DBC, int (*)(DBC*)> owner(cursor, [](DBC* c) { return c->close(c); });
        DBT k{}, v{};
        for (;;) {
            const int error = cursor->get(cursor, &k, &v, DB_NEXT);
            if (error == DB_NOTFOUND) return {};
            if (error) return fail(trouble("read", error));
            if (!visit({static_cast<const char*>(k.data), k.size}, {static_cast<const char*>(v.data), v.size}))
                return {};
        }
    }

    Result<bool> put(std::string_view key, std::string_view value, bool replaces) override
    {
        DBT k = dbt(key), v = dbt(value);
        const int error = db_->put(db_, nullptr, &k, &v, replaces ? 0 : DB_NOOVERWRITE);
        if (error == DB_KEYEXIST) return false;
        if (error) return fail(trouble("write", error));
        return true;
    }

    Result<bool> erase(std::string_view key) override
    {
        DBT k = dbt(key);
        const int error = db_->del(db_, nullptr, &k, 0);
        if (error == DB_NOTFOUND) return false;
        if (error) return fail(trouble("delete from", error));
        return true;
    }

    Result<void> close() override
    {
        const int error = db_->close(db_, 0);
        db_ = nullptr;
        if (error) return fail(trouble("close", error));
        return {};
    }

private:
    static DBT dbt(std::string_view text)
    {
        DBT item{};
        item.data = const_cast<char*>(text.data());
        item.size = static_cast<std::uint32_t>(text.size());
        return item;
    }
    Error trouble(std::string_view what, int error) const
    {
        if (error > 0) return Error::from_errno(error, what, path_);
        return Error(ErrorCode::corrupt, std::string(what) + " " + path_ + ": " + db_strerror(error));
    }

    std::string path_;
    DB* db_ = nullptr;
};

class LmdbFile final : public IndexFile {
public:
    static Result<std::unique_ptr<IndexFile>> open(const std::string& path, Mode mode, mode_t permissions)
    {
        auto file = std::make_unique<LmdbFile>(path, mode == Mode::read);
        struct stat status{};
        std::size_t map = lmdb_first_map;
        if (::stat(path.c_str(), &status) == 0) {
            while (map < static_cast<std::size_t>(status.st_size) * 2 && map < lmdb_largest_map) map *= 2;
        }
        if (int error = mdb_env_create(&file->env_)) return fail(file->trouble("open database", error));
        mdb_env_set_mapsize(file->env_, map);
        // No lock file: Postfix's programs lock the database file itself.
        unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | (mode == Mode::read ? unsigned{MDB_RDONLY} : 0U);
        int error = 0;
        {
            base::PrivilegedRead guard;
            if (mode == Mode::read && ::access(path.c_str(), F_OK) != 0) error = errno;
            else error = mdb_env_open(file->env_, path.c_str(), flags, permissions);
        }
        if (error) return fail(file->trouble("open database", error));
        error = mdb_txn_begin(file->env_, nullptr, mode == Mode::read ? unsigned{MDB_RDONLY} : 0U, &file->txn_);
        if (!error) error = mdb_dbi_open(file->txn_, nullptr, 0, &file->dbi_);
        if (!error && mode == Mode::create) error = mdb_drop(file->txn_, file->dbi_, 0);
        if (error) return fail(file->trouble("open database", error));
        return file;
    }

    LmdbFile(std::string path, bool is_read_only) : path_(std::move(path)), is_read_only_(is_read_only) {}
    ~LmdbFile() override
    {
        if (txn_) mdb_txn_abort(txn_);
        if (env_) mdb_env_close(env_);
    }

    Result<std::optional<std::string>> get(std::string_view key) override
    {
        if (key.empty()) return std::nullopt;
        MDB_val k = val(key), v{};
        const int error = mdb_get(txn_, dbi_, &k, &v);
        if (error == MDB_NOTFOUND || error == MDB_BAD_VALSIZE) return std::nullopt;
        if (error) return fail(trouble("read", error));
        return std::string(static_cast<const char*>(v.mv_data), v.mv_size);
    }

    Result<void> for_each(const std::function<bool(std::string_view, std::string_view)>& visit) override
    {
        MDB_cursor* cursor = nullptr;
        if (int error = mdb_cursor_open(txn_, dbi_, &cursor)) return fail(trouble("read", error));
        const std::unique_ptr<MDB_cursor, void (*)(MDB_cursor*)> owner(cursor, mdb_cursor_close);
        MDB_val k{}, v{};
        for (;;) {
            const int error = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
            if (error == MDB_NOTFOUND) return {};
            if (error) return fail(trouble("read", error));
            if (!visit({static_cast<const char*>(k.mv_data), k.mv_size},
                       {static_cast<const char*>(v.mv_data), v.mv_size})) {
                return {};
            }
        }
    }

    Result<bool> put(std::string_view key, std::string_view value, bool replaces) override
    {
        pending_ += key.size() + value.size() + 64;
        EKIDEN_TRY(make_room());
        MDB_val k = val(key), v = val(value);
        const int error = mdb_put(txn_, dbi_, &k, &v, replaces ? 0 : MDB_NOOVERWRITE);
        if (error == MDB_KEYEXIST) return false;
        if (error) return fail(trouble("write", error));
        return true;
    }

    Result<bool> erase(std::string_view key) override
    {
        MDB_val k = val(key);
        const int error = mdb_del(txn_, dbi_, &k, nullptr);
        if (error == MDB_NOTFOUND) return false;
        if (error) return fail(trouble("delete from", error));
        return true;
    }

    Result<void> close() override
    {
        const int error = is_read_only_ ? 0 : mdb_txn_commit(txn_);
        if (is_read_only_) mdb_txn_abort(txn_);
        txn_ = nullptr;
        if (error) return fail(trouble("close", error));
        return {};
    }

private:
    static MDB_val val(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
    // The map must be large enough before the write: a transaction that overflows it cannot be continued. Pages are
    // at worst half full, so four times the bytes written is kept free.
    Result<void> make_room()
    {
        MDB_envinfo info{};
        mdb_env_info(env_, &info);
        const std::size_t used = (info.me_last_pgno + 1) * 4096;
        if (used + pending_ * 4 < info.me_mapsize) return {};
        if (info.me_mapsize >= lmdb_largest_map)
            return fail(ErrorCode::too_long, "write " + path_ + ": database too large");
        int error = mdb_txn_commit(txn_);
        txn_ = nullptr;
        if (!error) error = mdb_env_set_mapsize(env_, info.me_mapsize * 4);
        if (!error) error = mdb_txn_begin(env_, nullptr, 0, &txn_);
        if (error) return fail(trouble("write", error));
        pending_ = 0;
        return {};
    }
    Error trouble(std::string_view what, int error) const
    {
        if (error > 0) return Error::from_errno(error, what, path_);
        return Error(ErrorCode::corrupt, std::string(what) + " " + path_ + ": " + mdb_strerror(error));
    }

    std::string path_;
    bool is_read_only_;
    std::size_t pending_ = 0;
    MDB_env* env_ = nullptr;
    MDB_txn* txn_ = nullptr;
    MDB_dbi dbi_ = 0;
};

class CdbFile final : public IndexFile {
public:
    static Result<std::unique_ptr<IndexFile>> open(const std::string& path, Mode mode, mode_t permissions)
    {
        auto file = std::make_unique<CdbFile>(path, mode);
        {
            base::PrivilegedRead guard;
            file->fd_.reset(mode == Mode::read
                                ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC)
                                : ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, permissions));
        }
        if (!file->fd_) return fail(Error::from_errno("open database", path));
        const int error = mode == Mode::read ? cdb_init(&file->reader_, file->fd_.get())
                                             : cdb_make_start(&file->maker_, file->fd_.get());
        if (error) return fail(file->trouble("open database"));
        file->is_open_ = true;
        return file;
    }

    CdbFile(std::string path, Mode mode) : path_(std::move(path)), mode_(mode) {}
    ~CdbFile() override
    {
        if (!is_open_) return;
        if (mode_ == Mode::read) cdb_free(&reader_);
        else cdb_make_finish(&maker_);  // an abandoned file: this frees the index kept in memory
    }

    Result<std::optional<std::string>> get(std::string_view key) override
    {
        const int found = cdb_find(&reader_, key.data(), static_cast<unsigned>(key.size()));
        if (found < 0) return fail(trouble("read"));
        if (found == 0) return std::nullopt;
        std::string value(cdb_datalen(&reader_), '\0');
        if (cdb_read(&reader_, value.data(), static_cast<unsigned>(value.size()), cdb_datapos(&reader_)) != 0) {
            return fail(trouble("read"));
        }
        return value;
    }

    Result<void> for_each(const std::function<bool(std::string_view, std::string_view)>& visit) override
    {
        unsigned position = 0;
        cdb_seqinit(&position, &reader_);
        for (;;) {
            const int found = cdb_seqnext(&position, &reader_);
            if (found < 0) return fail(trouble("read"));
            if (found == 0) return {};
            std::string key(cdb_keylen(&reader_), '\0'), value(cdb_datalen(&reader_), '\0');
            if (cdb_read(&reader_, key.data(), static_cast<unsigned>(key.size()), cdb_keypos(&reader_)) != 0 ||
                cdb_read(&reader_, value.data(), static_cast<unsigned>(value.size()), cdb_datapos(&reader_)) != 0) {
                return fail(trouble("read"));
            }
            if (!visit(key, value)) return {};
        }
    }

    Result<bool> put(std::string_view key, std::string_view value, bool replaces) override
    {
        const int done = cdb_make_put(&maker_, key.data(), static_cast<unsigned>(key.size()), value.data(),
                                      static_cast<unsigned>(value.size()), replaces ? CDB_PUT_REPLACE : CDB_PUT_INSERT);
        if (done < 0) return fail(trouble("write"));
        return replaces || done == 0;
    }

    Result<bool> erase(std::string_view) override { return fail(ErrorCode::refused, "cdb files cannot be changed"); }

    Result<void> close() override
    {
        if (mode_ == Mode::read) return {};
        const int error = cdb_make_finish(&maker_);
        is_open_ = false;
        if (error) return fail(trouble("close"));
        return {};
    }

private:
    Error trouble(std::string_view what) const { return Error::from_errno(what, path_); }

    std::string path_;
    Mode mode_;
    bool is_open_ = false;
    Fd fd_;
    struct cdb reader_{};
    struct cdb_make maker_{};
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
    if (format.type == "lmdb") return LmdbFile::open(path, mode, permissions);
    if (format.type == "cdb") return CdbFile::open(path, mode, permissions);
    return BerkeleyFile::open(format, path, mode, permissions, expected_bytes);
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
