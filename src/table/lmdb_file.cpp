// lmdb files.
#include "table/index_libraries.hpp"

#include "base/privileged_read.hpp"

#include <lmdb.h>

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::table {

namespace {

// The map of an LMDB file grows by doubling up to this.
constexpr std::size_t lmdb_first_map = std::size_t{16} << 20;
constexpr std::size_t lmdb_largest_map = std::size_t{16} << 30;

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

}  // namespace

Result<std::unique_ptr<IndexFile>> open_lmdb_file(const std::string& path, IndexFile::Mode mode, mode_t permissions)
{
    return LmdbFile::open(path, mode, permissions);
}

}  // namespace ekiden::table
