#include "daemon/logrotate.hpp"

#include "base/clock.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/master.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <ranges>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ekiden::daemon {

namespace {

constexpr std::chrono::seconds reopen_limit{5};

struct LogFile {
    std::string path, rotated;
};

bool is_device(const std::string& path)
{
    return path.starts_with("/dev/");
}

// All files or none. What went wrong, or "".
std::string rename_all(const std::vector<LogFile>& files, const Logger& log)
{
    for (std::size_t i = 0; i < files.size(); ++i) {
        const LogFile& file = files[i];
        if (::rename(file.path.c_str(), file.rotated.c_str()) == 0) continue;
        std::string trouble = fmt::format("rename {} to {}: {}", file.path, file.rotated, std::strerror(errno));
        // The system still writes to the files that were renamed, and nobody has made new ones meanwhile.
        for (const LogFile& done : files | std::views::take(i))
            if (::rename(done.rotated.c_str(), done.path.c_str()) < 0)
                log.warning("rename {} back to {}: {}", done.rotated, done.path, std::strerror(errno));
        return trouble;
    }
    return {};
}

// The compressor's exit status.
int compress(const std::string& compressor, const std::string& file)
{
    const pid_t child = ::fork();
    if (child < 0) return -1;
    if (child == 0) {
        ::execlp(compressor.c_str(), compressor.c_str(), file.c_str(), nullptr);
        std::fprintf(stderr, "postfix: fatal: %s: %s\n", compressor.c_str(), std::strerror(errno));
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

int rotate_logs(const config::Settings& settings, const Logger& log)
{
    const auto refuse = [&](const std::string& text) {
        log.fatal("{}", text);
        return 1;
    };
    const std::string lines = settings.str("maillog_file");
    const std::string records = wants_json_log(settings) ? settings.str("ekiden_log_file") : std::string();
    // Records beside standard output or syslog are rotated by themselves.
    std::vector<LogFile> files;
    for (const std::string& path : {lines, records})
        if (!path.empty() && !is_device(path)) files.push_back({path, {}});
    if (files.empty() && lines.empty())
        return refuse("\"postfix logrotate\" needs a maillog_file; syslog's files are rotated by others");
    if (files.empty()) return refuse(fmt::format("\"postfix logrotate\" does not rotate {}", lines));

    char suffix[128];
    const std::time_t now = base::to_seconds(base::wall_now());
    std::tm local{};
    ::localtime_r(&now, &local);
    const std::string format = settings.str("maillog_file_rotate_suffix");
    if (std::strftime(suffix, sizeof suffix, format.c_str(), &local) == 0 || std::strchr(suffix, '/') != nullptr)
        return refuse(fmt::format("maillog_file_rotate_suffix = {}: no suffix for a file name", format));
    for (LogFile& file : files) {
        struct stat info{};
        if (::stat(file.path.c_str(), &info) != 0)
            return refuse(fmt::format("\"postfix logrotate\": {}: {}", file.path, std::strerror(errno)));
        if (!S_ISREG(info.st_mode))
            return refuse(fmt::format("\"postfix logrotate\": {} is not a regular file", file.path));
        file.rotated = file.path + "." + suffix;
        // Twice in a second, or a suffix without the time: what is there is not written over.
        if (::access(file.rotated.c_str(), F_OK) == 0) return refuse(fmt::format("{} exists already", file.rotated));
    }
    if (const std::string trouble = rename_all(files, log); !trouble.empty()) return refuse(trouble);
    if (const int pid = find_master(settings)) {
        ::kill(pid, SIGUSR1);
        // The new files show that the master has let go of the old ones; the engine follows at once.
        const auto end = base::steady_now() + reopen_limit;
        const auto is_there = [](const LogFile& file) { return ::access(file.path.c_str(), F_OK) == 0; };
        while (!std::ranges::all_of(files, is_there) && base::steady_now() < end) ::poll(nullptr, 0, 10);
        ::poll(nullptr, 0, 500);
    }
    const std::string compressor = settings.str("maillog_file_compressor");
    bool is_done = true;
    for (const LogFile& file : files) {
        if (compress(compressor, file.rotated) == 0) continue;
        log.warning("{} {} failed; the log file stays as it is", compressor, file.rotated);
        is_done = false;
    }
    return is_done ? 0 : 1;
}

} // namespace ekiden::daemon
