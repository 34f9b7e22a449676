// The file of logins: one a line, `name:verifier`, where the verifier is SCRAM's (scram.hpp) or a crypt(3) hash
// (crypt_hash.hpp). Blank lines and lines that begin with `#` count for nothing. Pure but for read_password_file().
//
// Everything is bounded; a line that cannot be used is nobody's login and is named. A file that is too big, or is no
// plain file, is trouble as a whole: half a file of logins is worse than none. Thread: a value, read from anywhere.
#pragma once

#include "base/result.hpp"
#include "sasl/scram.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include <sys/stat.h>

namespace ekiden::sasl {

inline constexpr std::size_t max_password_file = 16 << 20, max_password_line = 1024, max_login_name = 255;

struct Login {
    std::string name;
    std::variant<ScramVerifier, std::string> verifier;    // else a crypt(3) hash that passed its check
};

class PasswordFile {
public:
    struct Problem {
        std::size_t line = 0;
        std::string text;    // without a verifier
    };

    // A name's domain (behind the last @) is compared without case, the rest as it is; the first of two lines counts.
    static PasswordFile parse(std::string_view content);

    const Login* find(std::string_view name) const;
    const std::vector<Login>& logins() const { return logins_; }
    const std::vector<Problem>& problems() const { return problems_; }  // at most 20, then one that says how many more
    // All logins are crypt(3) hashes: SCRAM is possible for nobody.
    bool has_only_hashes() const { return !logins_.empty() && verifiers_ == 0; }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    Result<void> add(std::string_view line);
    std::vector<Login> logins_;
    std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> places_;
    std::vector<Problem> problems_;
    std::size_t verifiers_ = 0;
};

// May a login be called so? Trouble says why not.
Result<void> check_login_name(std::string_view name);
// As names are compared.
std::string folded_login_name(std::string_view name);

// The name that a line of the file is about, or nothing (comment, blank): what an editor of the file needs.
std::string_view name_of_line(std::string_view line);

// Blocks. `status` is of the file that was read. A file that only root may read is read with base::PrivilegedRead.
Result<std::string> read_password_file(const std::string& path, struct stat& status);

}  // namespace ekiden::sasl
