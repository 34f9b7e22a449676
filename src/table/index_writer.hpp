// Writes an indexed database file so that no reader ever sees half a table.
//
// hash, btree and cdb: a new file is made beside the old one (a copy of it for updates), synced and renamed over it,
// while the old one is locked against other writers. Where the folder may not be written but the file may, the new
// content is copied into the file under the lock that readers respect. lmdb: one transaction in the file under the lock,
// because programs that have it open look at the same file for new data. Thread: one.
#pragma once

#include "table/index_file.hpp"

#include "base/fd.hpp"

namespace ekiden::table {

class IndexWriter {
public:
    struct Options {
        bool is_update = false;              // else the table is made anew
        bool may_create = true;              // updates: a missing file is made
        mode_t permissions = 0644;           // of a new file; an old one keeps its own
        std::size_t expected_bytes = 0;      // of all that will be put, about
    };
    // `name` without suffix. Errors: "open /etc/x.db: Permission denied", "open database /etc/x.db: No such file…".
    static Result<std::unique_ptr<IndexWriter>> open(const IndexFormat& format, const std::string& name,
                                                     const Options& options);
    ~IndexWriter();
    IndexWriter(const IndexWriter&) = delete;
    IndexWriter& operator=(const IndexWriter&) = delete;

    IndexFile& file() { return *file_; }
    // Makes what was put visible to readers. Without it nothing changes.
    Result<void> commit();

private:
    explicit IndexWriter(const IndexFormat& format) : format_(format) {}
    Result<void> lock_target();
    Result<std::string> make_work_file(bool is_copy);
    Result<void> overwrite_target();

    const IndexFormat& format_;
    std::string path_;        // what the user named
    std::string target_;      // the same with links resolved
    std::string work_path_;   // the file being made; empty: in place
    bool is_elsewhere_ = false;  // work file lies in another folder
    mode_t permissions_ = 0644;
    Fd lock_;                 // the old file, locked; none when there is none
    std::unique_ptr<IndexFile> file_;
};

}  // namespace ekiden::table
