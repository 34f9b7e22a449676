#include "sasl/builtin_file.hpp"

#include "base/privileged_read.hpp"

#include <algorithm>
#include <map>

namespace ekiden::sasl {

namespace {

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

}  // namespace

std::vector<std::string> doubts_about(const std::string& path, const struct stat& status, const PasswordFile& file)
{
    std::vector<std::string> doubts;
    if (status.st_mode & S_IROTH) doubts.push_back(path + ": everybody on this machine can read it (chmod o-r)");
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        doubts.push_back(path + ": others than its owner can write to it (chmod go-w)");
    for (const auto& problem : file.problems())
        doubts.push_back(path + ", line " + std::to_string(problem.line) + ": " + problem.text);
    return doubts;
}

std::shared_ptr<FollowedFile> FollowedFile::of(const std::string& path, const Logger& log)
{
    static base::Locked<std::map<std::string, std::weak_ptr<FollowedFile>>> files;
    std::shared_ptr<FollowedFile> file;
    {
        auto known = files.lock();
        std::erase_if(*known, [](const auto& entry) { return entry.second.expired(); });
        file = (*known)[path].lock();
    }
    if (file) {
        file->look();
        return file;
    }
    file = std::make_shared<FollowedFile>(path, log);    // reads: not under the lock
    (*files.lock())[path] = file;
    return file;
}

FollowedFile::Stamp FollowedFile::stamp_of(const struct stat& status)
{
    return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

bool FollowedFile::claims_look()
{
    const auto now = base::steady_now();
    auto state = state_.lock();
    if (now < state->next_look) return false;
    state->next_look = now + std::chrono::seconds(1);
    return true;
}

bool FollowedFile::claims_unwaited_look()
{
    const auto now = base::steady_now();
    auto state = state_.lock();
    if (state->has_unwaited_look || now < state->next_unwaited_look) return false;
    state->next_unwaited_look = now + std::chrono::seconds(1);
    state->has_unwaited_look = true;
    return true;
}

void FollowedFile::look_unwaited()
{
    try {
        look();
    } catch (const std::exception& problem) {
        log_.warning("{}: {}", path_, problem.what());    // memory is short: a login looks again
    }
    state_.lock()->has_unwaited_look = false;
}

bool FollowedFile::is_unchanged() const
{
    struct stat status {};
    {
        const base::PrivilegedRead privileged;    // a folder on the way may be closed to us
        if (::stat(path_.c_str(), &status) < 0) return false;
    }
    return state_.lock()->stamp == stamp_of(status);
}

void FollowedFile::look()
{
    if (is_unchanged()) return;
    struct stat status {};
    auto content = read_password_file(path_, status);
    if (!content) {
        auto state = state_.lock();
        const bool is_news = state->trouble != content.error().text();
        state->trouble = content.error().text();
        state->stamp.reset();
        if (is_news) log_.warning("{}: every login has to wait", state->trouble);
        state->content = std::unexpected(std::move(content).error());
        return;
    }
    const auto file = std::make_shared<const PasswordFile>(PasswordFile::parse(*content));
    // Times tick slowly: a file that was written just now may be written again within the same tick.
    const std::int64_t age = base::wall_now().time_since_epoch().count() * 1000 -
                             std::max(nanoseconds(status.st_mtim), nanoseconds(status.st_ctim));
    const bool is_settled = age > 2'000'000'000LL;
    std::string doubts;
    for (const auto& doubt : doubts_about(path_, status, *file)) doubts += doubt + '\n';

    auto state = state_.lock();
    state->stamp = is_settled ? std::optional(stamp_of(status)) : std::nullopt;
    state->content = file;
    const bool is_news = state->trouble != doubts;
    state->trouble = doubts;
    if (!is_news) return;
    for (const auto& doubt : doubts_about(path_, status, *file)) log_.warning("{}", doubt);
}

}  // namespace ekiden::sasl
