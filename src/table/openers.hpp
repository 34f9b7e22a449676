// What the registry calls: one opener per table type. `spec` is the whole "type:name", for messages.
#pragma once

#include "table/index_file.hpp"
#include "table/source_lines.hpp"
#include "table/table.hpp"

namespace ekiden::table {

// The error of a table that says no more than that it failed.
inline constexpr std::string_view no_reason = "Application error";

struct OpenRequest {
    std::string spec;
    std::string_view type;
    std::string name;
    const OpenOptions& options;

    Warn warn() const;  // a warning line through the options' logger
};

Result<TablePtr> open_indexed(const OpenRequest& request);      // hash, btree, lmdb, cdb (indexed.cpp)
Result<TablePtr> open_texthash(const OpenRequest& request);     // text_file.cpp
Result<TablePtr> open_cidr(const OpenRequest& request);         // cidr.cpp
Result<TablePtr> open_patterns(const OpenRequest& request);     // regexp, pcre (patterns.cpp)
Result<TablePtr> open_static(const OpenRequest& request);       // inline_tables.cpp, from here on
Result<TablePtr> open_inline(const OpenRequest& request);
Result<TablePtr> open_fail(const OpenRequest& request);
Result<TablePtr> open_combined(const OpenRequest& request);     // unionmap, pipemap
Result<TablePtr> open_random(const OpenRequest& request);
Result<TablePtr> open_internal(const OpenRequest& request);
Result<TablePtr> open_debug(const OpenRequest& request);
Result<TablePtr> open_tcp(const OpenRequest& request);          // remote_tables.cpp
Result<TablePtr> open_socketmap(const OpenRequest& request);
Result<TablePtr> open_sqlite(const OpenRequest& request);       // sqlite_table.cpp
Result<TablePtr> open_environ(const OpenRequest& request);      // system_tables.cpp, from here on
Result<TablePtr> open_unix(const OpenRequest& request);
Result<TablePtr> open_nis(const OpenRequest& request);

// Parsing apart from files, for tests and fuzzing. `path` is for messages.
Result<TablePtr> parse_texthash(const OpenRequest& request, std::string_view text, FileStamp stamp);
Result<TablePtr> parse_cidr(const OpenRequest& request, std::string_view text, FileStamp stamp);
Result<TablePtr> parse_patterns(const OpenRequest& request, std::string_view text, FileStamp stamp);

// regexp:{{rule}, {rule} …}, and so for pcre and cidr: the rules as lines of a file, or nothing when the name is no such
// list (no path begins with a brace).
Result<std::optional<std::string>> inline_rules(const OpenRequest& request);

// The key as indexed types see it.
std::string folded(std::string_view key, const OpenOptions& options);

// A table made of one source file: stale once the file's stamp differs. Rules that stand in the name never are.
class FileTable : public Table {
public:
    bool is_stale() const override { return !path_.starts_with('{') && FileStamp::of(path_) != std::optional(stamp_); }

protected:
    FileTable(const OpenRequest& request, FileStamp stamp) : Table(request.spec), path_(request.name), stamp_(stamp) {}

private:
    std::string path_;
    FileStamp stamp_;
};

}  // namespace ekiden::table
