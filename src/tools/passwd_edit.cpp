// Changing the file of logins: pure edits of its lines, and the lock and the rename around them.
#include "tools/passwd.hpp"

#include "base/fd.hpp"
#include "sasl/password_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

// Calls `on_line` with each line, its newline included, and whether it is the name's.
template <class F>
void for_each_line(std::string_view content, std::string_view name, F on_line)
{
    const std::string wanted = sasl::folded_login_name(name);
    while (!content.empty()) {
        const auto end = content.find('\n');
        const std::string_view line = content.substr(0, end == content.npos ? end : end + 1);
        content.remove_prefix(line.size());
        const std::string_view found = sasl::name_of_line(line);
        on_line(line, !found.empty() && sasl::folded_login_name(found) == wanted);
    }
}

// A temporary file that is removed unless it took the other's place.
struct Beside {
    std::string path;
    Fd fd;
    ~Beside()
    {
        if (!path.empty()) ::unlink(path.c_str());
    }
};

// Symbolic links stay what they are: the file that they name is replaced.
std::string real_path(const std::string& path)
{
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
    return real ? real.get() : path;
}

Result<void> write_beside(Beside& beside, const std::string& path, std::string_view content, const struct stat* old,
                          std::optional<gid_t> group)
{
    beside.path = path + ".XXXXXX";
    beside.fd.reset(::mkostemp(beside.path.data(), O_CLOEXEC));    // mode 0600
    if (!beside.fd) {
        auto error = Error::from_errno("create", beside.path);
        beside.path.clear();
        return std::unexpected(std::move(error));
    }
    const int fd = beside.fd.get();
    // Who may not give files away keeps his own group, and then others must not get what the group was to have.
    const uid_t owner = old ? old->st_uid : static_cast<uid_t>(-1);
    const gid_t wanted = old ? old->st_gid : group.value_or(static_cast<gid_t>(-1));
    const bool is_given = ::fchown(fd, owner, wanted) == 0;
    if (!is_given && ::geteuid() == 0) return std::unexpected(Error::from_errno("change the owner of", beside.path));
    const mode_t mode = old ? old->st_mode & 0777 : 0640;
    if (::fchmod(fd, is_given ? mode : mode & 0700) < 0)
        return std::unexpected(Error::from_errno("change the mode of", beside.path));
    EKIDEN_TRY(base::write_all(fd, content));
    return base::sync_file(fd);
}

}  // namespace

std::string with_login(std::string_view content, std::string_view name, std::string_view verifier)
{
    const std::string fresh = std::string(name) + ':' + std::string(verifier) + '\n';
    std::string out;
    bool is_written = false;
    for_each_line(content, name, [&](std::string_view line, bool is_it) {
        if (!is_it) out += line;
        else if (!std::exchange(is_written, true)) out += fresh;
    });
    if (is_written) return out;
    if (!out.empty() && out.back() != '\n') out += '\n';
    return out + fresh;
}

std::optional<std::string> without_login(std::string_view content, std::string_view name)
{
    std::string out;
    for_each_line(content, name, [&](std::string_view line, bool is_it) {
        if (!is_it) out += line;
    });
    if (out.size() == content.size()) return std::nullopt;
    return out;
}

Result<void> edit_password_file(const std::string& given, std::optional<gid_t> group,
                                const std::function<Result<std::string>(std::string_view)>& edit)
{
    const std::string path = real_path(given);
    const auto slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    EKIDEN_TRY_VALUE(lock, base::open_file(folder, O_RDONLY | O_DIRECTORY));
    while (::flock(lock.get(), LOCK_EX) < 0) {
        if (errno != EINTR) return std::unexpected(Error::from_errno("lock", folder));
    }

    struct stat status {};
    auto old = sasl::read_password_file(path, status);
    if (!old && !old.error().is(ErrorCode::not_found)) return std::unexpected(std::move(old).error());
    EKIDEN_TRY_VALUE(content, edit(old ? std::string_view(*old) : std::string_view()));
    if (content.size() > sasl::max_password_file) return fail(ErrorCode::too_long, path + " would become too big");

    Beside beside;
    EKIDEN_TRY(write_beside(beside, path, content, old ? &status : nullptr, group));
    if (::rename(beside.path.c_str(), path.c_str()) < 0)
        return std::unexpected(Error::from_errno("rename", beside.path));
    beside.path.clear();
    return base::sync_folder(folder);
}

}  // namespace ekiden::tools
