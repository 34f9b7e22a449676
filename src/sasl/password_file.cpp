#include "sasl/password_file.hpp"

#include "base/fd.hpp"
#include "base/privileged_read.hpp"
#include "base/text.hpp"
#include "sasl/crypt_hash.hpp"
#include "sasl/saslprep.hpp"

#include <algorithm>
#include <fcntl.h>

namespace ekiden::sasl {

namespace {

constexpr std::size_t max_problems = 20;

std::string_view without_end(std::string_view line) { return base::trim_right(line); }

bool is_nothing(std::string_view line) { return line.empty() || line.front() == '#'; }

}  // namespace

Result<void> check_login_name(std::string_view name)
{
    if (name.empty()) return fail(ErrorCode::syntax, "the name is empty");
    if (name.size() > max_login_name) return fail(ErrorCode::too_long, "the name is too long");
    if (name.front() == '#' || base::is_space(name.front()) || base::is_space(name.back())) {
        return fail(ErrorCode::syntax, "a name cannot begin with # or begin or end with white space");
    }
    if (name.find(':') != name.npos) return fail(ErrorCode::syntax, "a name cannot contain a colon");
    const auto prepared = prepare(name);
    if (!prepared)
        return fail(ErrorCode::syntax, "the name is not UTF-8, or contains characters that no name may (RFC 4013)");
    // A client's name is prepared before it is looked up, so another form would never be found.
    if (prepared->view() != name)
        return fail(ErrorCode::syntax, "the name is not in the form that SASLprep (RFC 4013) makes of it");
    return {};
}

std::string folded_login_name(std::string_view name)
{
    const auto at = name.rfind('@');
    if (at == name.npos) return std::string(name);
    return std::string(name.substr(0, at)) + base::lower(name.substr(at));
}

std::string_view name_of_line(std::string_view line)
{
    line = without_end(line);
    return is_nothing(line) ? std::string_view() : line.substr(0, line.find(':'));
}

Result<void> PasswordFile::add(std::string_view line)
{
    if (line.size() > max_password_line) return fail(ErrorCode::too_long, "the line is too long");
    const auto colon = line.find(':');
    if (colon == line.npos) return fail(ErrorCode::syntax, "expected \"name:verifier\"");
    const std::string_view name = line.substr(0, colon);
    std::string_view text = line.substr(colon + 1);
    EKIDEN_TRY(check_login_name(name));

    Login login{std::string(name), {}};
    if (text.starts_with("{CRYPT}")) text.remove_prefix(7);    // Dovecot's and LDAP's way to write them
    if (is_verifier_like(text)) {
        EKIDEN_TRY_VALUE(verifier, parse_verifier(text));
        login.verifier = std::move(verifier);
    } else if (is_crypt_like(text)) {
        if (text.find(':') != text.npos) return fail(ErrorCode::syntax, "there is something behind the hash");
        EKIDEN_TRY(check_crypt_hash(text));
        login.verifier = std::string(text);
    } else if (text.empty() || text.front() == '!' || text.front() == '*') {
        return fail(ErrorCode::refused, "there is no hash: nobody can log in with this name");
    } else {
        return fail(ErrorCode::refused, "neither a SCRAM-SHA-256 verifier nor a crypt(3) hash");
    }
    if (!places_.emplace(folded_login_name(name), logins_.size()).second) {
        return fail(ErrorCode::refused, "the name stands in the file already; the first one counts");
    }
    if (std::holds_alternative<ScramVerifier>(login.verifier)) ++verifiers_;
    logins_.push_back(std::move(login));
    return {};
}

PasswordFile PasswordFile::parse(std::string_view content)
{
    PasswordFile file;
    std::size_t number = 0, left_out = 0;
    while (!content.empty()) {
        const auto end = std::min(content.find('\n'), content.size());
        const std::string_view line = without_end(content.substr(0, end));
        content.remove_prefix(std::min(end + 1, content.size()));
        ++number;
        if (is_nothing(line)) continue;
        auto added = file.add(line);
        if (added) continue;
        if (file.problems_.size() < max_problems) file.problems_.push_back({number, added.error().text()});
        else ++left_out;
    }
    if (left_out > 0)
        file.problems_.push_back(
            {number, "this and other lines, " + std::to_string(left_out) + " in all, cannot be used either"});
    return file;
}

const Login* PasswordFile::find(std::string_view name) const
{
    const auto place = places_.find(folded_login_name(name));
    return place == places_.end() ? nullptr : &logins_[place->second];
}

Result<std::string> read_password_file(const std::string& path, struct stat& status)
{
    Result<Fd> opened = fail(ErrorCode::system, {});
    {
        const base::PrivilegedRead privileged;
        opened = base::open_file(path, O_RDONLY | O_NONBLOCK);    // a pipe must not hold us
    }
    if (!opened) return std::unexpected(std::move(opened).error());
    const int fd = opened->get();
    if (::fstat(fd, &status) < 0) return std::unexpected(Error::from_errno("stat", path));
    if (!S_ISREG(status.st_mode)) return fail(ErrorCode::refused, path + " is not a regular file");
    // One byte more than the file had, to see that it did not grow meanwhile.
    if (static_cast<std::uint64_t>(status.st_size) > max_password_file)
        return fail(ErrorCode::too_long, path + " is too big");
    std::string content(static_cast<std::size_t>(status.st_size) + 1, '\0');
    EKIDEN_TRY_VALUE(size, base::read_at(fd, content, 0));
    if (size == content.size()) return fail(ErrorCode::unavailable, path + " is being written");
    content.resize(size);
    return std::move(content);
}

}  // namespace ekiden::sasl
