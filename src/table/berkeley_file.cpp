// hash and btree files: Berkeley DB.
#include "table/index_libraries.hpp"

#include "base/privileged_read.hpp"

#include <db.h>

#include <algorithm>
#include <cstdlib>

namespace ekiden::table {

namespace {

// As Postfix's postmap creates hash files, so that both list the same records in the same order.
constexpr std::uint32_t berkeley_hash_elements = 4096;
constexpr std::uint32_t berkeley_page_size = 4096;
// Memory for a file being made. Measured with a million keys (80 MiB of pages): 6.5 s with 16 MiB, 1.8 s with 128 MiB.
constexpr std::size_t berkeley_smallest_cache = std::size_t{16} << 20;
constexpr std::size_t berkeley_largest_cache = std::size_t{512} << 20;
class BerkeleyFile final : public IndexFile {
public:
    static Result<std::unique_ptr<IndexFile>> open(std::string_view type, const std::string& path, Mode mode,
                                                   mode_t permissions, std::size_t expected_bytes)
    {
        auto file = std::make_unique<BerkeleyFile>(path);
        if (int error = db_create(&file->db_, nullptr, 0)) return fail(file->trouble("create handle", error));
        DB* db = file->db_;
        db->set_errfile(db, nullptr);
        db->set_errcall(db, [](const DB_ENV*, const char*, const char*) {});  // what matters is in the return codes
        const std::size_t work_memory = std::clamp(expected_bytes * 3, berkeley_smallest_cache, berkeley_largest_cache);
        db->set_cachesize(db, 0, mode == Mode::read ? 256 * 1024 : static_cast<std::uint32_t>(work_memory), 0);
        const bool is_hash = type == "hash";
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

}  // namespace

Result<std::unique_ptr<IndexFile>> open_berkeley_file(std::string_view type, const std::string& path,
                                                      IndexFile::Mode mode, mode_t permissions,
                                                      std::size_t expected_bytes)
{
    return BerkeleyFile::open(type, path, mode, permissions, expected_bytes);
}

}  // namespace ekiden::table
