#include "daemon/spawn_line.hpp"

#include "base/text.hpp"
#include "deliver/local/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::daemon {
namespace {

// What keeps `path` from being executed, or nothing.
std::string find_obstacle(const std::string& path)
{
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return std::strerror(errno);
    if (!S_ISREG(found.st_mode)) return "is not a file";
    return (found.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0 ? "is not executable" : "";
}

// A name without a slash is looked for as execvp(3) will.
std::string find_command_obstacle(const config::Settings& settings, const config::ServiceSpec& service,
                                  const std::string& command)
{
    const std::string root = service.is_chroot ? settings.str("queue_directory") : std::string();
    const std::string place = root.empty() ? std::string() : fmt::format(" (in the chroot {})", root);
    auto obstacle = [&](const std::string& path) {
        const std::string text = find_obstacle(root + path);
        return text.empty() ? text : fmt::format("command {}{}: {}", command, place, text);
    };
    if (command.starts_with('/')) return obstacle(command);
    // From the queue directory, where the command begins.
    if (command.find('/') != command.npos)
        return obstacle((root.empty() ? settings.str("queue_directory") : std::string()) + "/" + command);
    std::string path;
    for (const auto& [name, value] : deliver::exported_environment(*settings.for_service(service))) {
        if (name == "PATH") path = value;
    }
    for (const std::string_view folder : base::split_any(path, ":")) {
        if (find_obstacle(fmt::format("{}{}/{}", root, folder, command)).empty()) return {};
    }
    return fmt::format("command {}{}: not found in {}", command, place, path);
}

}  // namespace

Result<SpawnLine> SpawnLine::from(const config::ServiceSpec& service)
{
    SpawnLine line;
    const auto& words = service.arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        if (word == "-o") ++i;
        if (word.starts_with('-')) continue;
        const std::size_t equals = word.find('=');
        const std::string_view name = word.substr(0, equals),
                               value = equals == word.npos ? "" : word.substr(equals + 1);
        if (name == "user" && equals != word.npos) {
            const std::size_t colon = value.find(':');
            line.user = value.substr(0, colon);
            line.group = colon == value.npos ? "" : value.substr(colon + 1);
        } else if (name == "argv" && equals != word.npos) {
            if (!value.empty()) line.command.emplace_back(value);
            line.command.insert(line.command.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
            break;
        } else {
            return fail(ErrorCode::refused, fmt::format("unknown attribute name: {}", word));
        }
    }
    if (line.user.empty()) return fail(ErrorCode::refused, "missing user= attribute");
    if (line.command.empty()) return fail(ErrorCode::refused, "missing argv= attribute");
    if (service.is_unprivileged)
        return fail(ErrorCode::refused, fmt::format("service {} requires privileged operation", service.name));
    return line;
}

Result<SpawnAccount> find_account(const SpawnLine& line, const Owner& owner)
{
    const passwd* user = ::getpwnam(line.user.c_str());
    if (!user) return fail(ErrorCode::not_found, "unknown user name: " + line.user);
    SpawnAccount account{user->pw_uid, user->pw_gid};
    if (!line.group.empty()) {
        const ::group* group = ::getgrnam(line.group.c_str());
        if (!group) return fail(ErrorCode::not_found, "unknown group name: " + line.group);
        account.gid = group->gr_gid;
    }
    if (account.uid == 0) return fail(ErrorCode::refused, "request to deliver as root");
    if (!owner.is_root) {
        if (account.uid == owner.uid && account.gid == owner.gid) return account;
        return fail(ErrorCode::permission,
                    fmt::format("request to run a command as {}{}{}, and the mail system was not started by root",
                                line.user, line.group.empty() ? "" : ":", line.group));
    }
    if (account.uid == owner.uid) return fail(ErrorCode::refused, "request to deliver as mail system owner");
    if (account.gid == 0) return fail(ErrorCode::refused, "request to use privileged group id 0");
    if (account.gid == owner.gid)
        return fail(ErrorCode::refused, fmt::format("request to use mail system owner group id {}", account.gid));
    return account;
}

std::string spawn_name(const config::ServiceSpec& service)
{
    return service.type + "/" + service.name;
}

std::vector<config::Problem> find_spawn_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems;
    const auto owner = find_owner(settings);
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "spawn") continue;
        auto add = [&](std::string_view text) {
            problems.push_back(
                config::make_problem(config::Problem::Level::warning, {service.file, service.line},
                                     fmt::format("service {} turns its clients away: {}", service.name, text)));
        };
        if (service.type != "inet" && service.type != "unix") {
            add(fmt::format("spawn(8) does not listen on type {}", service.type));
            continue;
        }
        const auto line = SpawnLine::from(service);
        if (!line) {
            add(line.error().text());
            continue;
        }
        if (owner) {
            if (const auto account = find_account(*line, *owner); !account) add(account.error().text());
        }
        if (const std::string obstacle = find_command_obstacle(settings, service, line->command.front());
            !obstacle.empty())
            add(obstacle);
    }
    return problems;
}

}  // namespace ekiden::daemon
