// One indexed database file: Berkeley DB hash and btree, LMDB, cdb; reading for lookups, writing for postmap.
//
// Files are interchangeable with Postfix's own: hash, btree and lmdb records end with a NUL byte in key and value unless
// asked otherwise (postmap -n), cdb records do not; readers take both. The suffix is .db, .lmdb or .cdb.
// Thread: one user at a time (IndexedTable adds the lock).
#pragma once

#include "base/result.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace ekiden::table {

struct IndexFormat {
    std::string_view type;    // "hash"
    std::string_view suffix;  // ".db"
    bool has_nul;             // records written by default with a NUL at the end
    bool can_update;          // cdb can only be written anew
    bool is_posix_locked;     // which lock Postfix's programs take on the file: fcntl (lmdb) or flock (the others)
};
const IndexFormat* find_index_format(std::string_view type);

class IndexFile {
public:
    enum class Mode { read, create, update };

    virtual ~IndexFile() = default;
    virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    // Every record in the file's order, until the visitor answers false.
    virtual Result<void> for_each(const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
    // False: the key was there and `replaces` is false.
    virtual Result<bool> put(std::string_view key, std::string_view value, bool replaces) = 0;
    virtual Result<bool> erase(std::string_view key) = 0;  // false: no such key
    virtual Result<void> close() = 0;                      // writes what is pending; needed after changes
};

// Errors: "open database PATH: No such file or directory". `expected_bytes`, of a file being made, is what will be put:
// a hash file whose pages all fit into memory is written once, in order, instead of page by page all over the disk.
Result<std::unique_ptr<IndexFile>> open_index_file(const IndexFormat& format, const std::string& path,
                                                   IndexFile::Mode mode, mode_t permissions = 0644,
                                                   std::size_t expected_bytes = 0);

// Shared or exclusive lock on an open database file as Postfix's programs take it, waiting at most `patience_ms`.
Result<void> lock_index_file(int fd, const IndexFormat& format, bool is_exclusive, int patience_ms);
void unlock_index_file(int fd, const IndexFormat& format);

}  // namespace ekiden::table
