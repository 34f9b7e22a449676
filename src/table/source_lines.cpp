#include "table/source_lines.hpp"

#include "base/privileged_read.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace ekiden::table {

SourceLines::SourceLines(std::string_view text, std::string path, Warn warn)
    : rest_(text), path_(std::move(path)), warn_(std::move(warn))
{
}

bool SourceLines::next(Line& line)
{
    line.text.clear();
    line.number = 0;
    while (!rest_.empty() && !error_) {
        const std::size_t end = rest_.find('\n');
        const std::string_view physical = rest_.substr(0, end);
        const auto step = [&] {
            rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
            ++number_;
        };
        const std::size_t first = physical.find_first_not_of(" \t\r\v\f");
        if (first == physical.npos || physical[first] == '#') {
            step();
            continue;
        }
        const bool is_continuation = base::is_space(physical.front());
        if (is_continuation && !has_started_) {
            std::string shown(physical.substr(0, 30));
            if (physical.size() > 30) shown += "...";
            warn_(path_ + ": logical line must not start with whitespace: \"" + shown + "\"");
            step();
            continue;
        }
        if (!is_continuation && line.number != 0) return true;  // the next logical line; left for the next call
        step();
        has_started_ = true;
        if (line.number == 0) line.number = number_;
        if (line.text.size() + physical.size() > max_line_bytes) {
            error_ = Error(ErrorCode::too_long, path_ + ", line " + std::to_string(line.number) + ": line too long");
            return false;
        }
        line.text += physical;
    }
    return line.number != 0 && !error_;
}

std::optional<FileStamp> FileStamp::of(const std::string& path)
{
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return of(status);
}

FileStamp FileStamp::of(const struct stat& status)
{
    FileStamp stamp;
    stamp.device_ = status.st_dev;
    stamp.inode_ = status.st_ino;
    stamp.size_ = static_cast<std::uint64_t>(status.st_size);
    stamp.seconds_ = status.st_mtim.tv_sec;
    stamp.nanoseconds_ = status.st_mtim.tv_nsec;
    return stamp;
}

Result<SourceText> read_source(const std::string& path)
{
    Fd file;
    {
        base::PrivilegedRead guard;
        file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    }
    if (!file) return fail(Error::from_errno("open", path));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail(Error::from_errno("fstat", path));
    SourceText source{{}, FileStamp::of(status)};
    if (S_ISREG(status.st_mode)) source.text.reserve(std::min<std::size_t>(source.stamp.size(), max_source_bytes));
    char buffer[65536];
    for (;;) {
        const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        // A directory reads as nothing, as it does for Postfix.
        if (n < 0 && errno == EISDIR) return source;
        if (n < 0) return fail(Error::from_errno("read", path));
        if (n == 0) return source;
        if (source.text.size() + static_cast<std::size_t>(n) > max_source_bytes) {
            return fail(ErrorCode::too_long, "read " + path + ": file too large");
        }
        source.text.append(buffer, static_cast<std::size_t>(n));
    }
}

Result<SourceText> read_lookup_source(const std::string& path)
{
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
        return fail(Error::from_errno(EISDIR, "read", path));
    return read_source(path);
}

}  // namespace ekiden::table
