// cdb files: tinycdb.
#include "table/index_libraries.hpp"

#include "base/fd.hpp"
#include "base/privileged_read.hpp"

#include <cdb.h>

#include <fcntl.h>

namespace ekiden::table {

namespace {

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

Result<std::unique_ptr<IndexFile>> open_cdb_file(const std::string& path, IndexFile::Mode mode, mode_t permissions)
{
    return CdbFile::open(path, mode, permissions);
}

}  // namespace ekiden::table
