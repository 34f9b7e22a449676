// FollowedFile: the password file as it was when last looked at, a second ago at most. Thread: any.
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "base/log.hpp"
#include "sasl/password_file.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::sasl {

using PasswordFilePtr = std::shared_ptr<const PasswordFile>;

// What a person should know about the file: who may read and write it, and each line that cannot be used.
std::vector<std::string> doubts_about(const std::string& path, const struct stat& status, const PasswordFile& file);

class FollowedFile {
public:
    // The one of a path, up to date: services share it, so that a bad line is named once and not for each of them.
    static std::shared_ptr<FollowedFile> of(const std::string& path, const Logger& log);

    FollowedFile(std::string path, Logger log) : path_(std::move(path)), log_(std::move(log)) { look(); }

    // Trouble while it cannot be read.
    Result<PasswordFilePtr> latest() const { return state_.lock()->content; }
    // True for one caller a second, who then calls look() where it may block.
    bool claims_look();
    // The same for a look that nobody waits for; look_unwaited() then, on the pool. There is one of them at a time, so
    // that a disk that hangs holds one thread, and it takes no login's look away: a login goes by the file as it is.
    bool claims_unwaited_look();
    void look_unwaited();
    // Reads the file if it changed, and says in the log what is wrong with it (once for each change).
    void look();

private:
    struct Stamp {
        dev_t device = 0;
        ino_t inode = 0;
        off_t size = 0;
        std::int64_t modified = 0, changed = 0;    // ns
        bool operator==(const Stamp&) const = default;
    };
    struct State {
        Result<PasswordFilePtr> content = fail(ErrorCode::unavailable, "the password file was not read yet");
        std::optional<Stamp> stamp;    // none: read it in any case
        std::string trouble;           // as last logged
        SteadyTime next_look{}, next_unwaited_look{};
        bool has_unwaited_look = false;
    };
    static Stamp stamp_of(const struct stat& status);
    bool is_unchanged() const;

    const std::string path_;
    const Logger log_;
    mutable base::Locked<State> state_;
};

}  // namespace ekiden::sasl
