// The logical lines of a map's text file: comments and blank lines left out, lines that start with white space joined
// to the line before (white space kept), each with the number of its first line.
//
// Bounds: max_source_bytes for the file, max_line_bytes for a logical line (both are errors with file and line).
// Thread: values.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace ekiden::table {

inline constexpr std::size_t max_source_bytes = std::size_t{256} << 20;
inline constexpr std::size_t max_line_bytes = std::size_t{1} << 20;

using Warn = std::function<void(const std::string&)>;

class SourceLines {
public:
    // `path` is for messages. `text` must outlive this object.
    SourceLines(std::string_view text, std::string path, Warn warn);

    struct Line {
        std::string text;
        int number = 0;
    };
    // False at the end, or when a bound was hit: then error() says so.
    bool next(Line& line);
    const std::optional<Error>& error() const { return error_; }

private:
    std::string_view rest_;
    std::string path_;
    Warn warn_;
    int number_ = 0;
    bool has_started_ = false;
    std::optional<Error> error_;
};

// What a file looked like when it was read; differs once it was written, replaced or removed.
class FileStamp {
public:
    static std::optional<FileStamp> of(const std::string& path);
    static FileStamp of(const struct stat& status);
    bool operator==(const FileStamp&) const = default;
    std::time_t modified_at() const { return seconds_; }
    std::uint64_t size() const { return size_; }

private:
    std::uint64_t device_ = 0, inode_ = 0, size_ = 0;
    std::time_t seconds_ = 0;
    long nanoseconds_ = 0;
};

// Reads a map's text with the right to read root's files. Errors: "open PATH: No such file or directory".
struct SourceText {
    std::string text;
    FileStamp stamp;
};
Result<SourceText> read_source(const std::string& path);
// As read_source(), for tables that are looked up: a directory is no table. (postmap reads one as nothing, as Postfix's does.)
Result<SourceText> read_lookup_source(const std::string& path);

}  // namespace ekiden::table
