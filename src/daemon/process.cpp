#include "daemon/process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

extern char** environ;

namespace ekiden::daemon {

static int self()
{
    static int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    return fd;
}

Result<pid_t> spawn_self(const std::vector<std::string>& arguments, const std::vector<std::pair<int, int>>& descriptors)
{
    if (self() < 0) return fail(Error::from_errno("open", "/proc/self/exe"));
    std::vector<char*> argv{const_cast<char*>("ekiden")};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    // Sources are moved above every target first, so that no dup2 hits a descriptor that is still needed.
    std::vector<int> sources;
    sources.reserve(descriptors.size());
    int above = 64;
    for (const auto& [from, to] : descriptors) above = std::max(above, to + 1);

    pid_t child = ::fork();
    if (child < 0) return fail(Error::from_errno("fork"));
    if (child > 0) return child;

    // Between fork and exec only async-signal-safe calls: other threads (the log's writer) are not here.
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    int binary = ::fcntl(self(), F_DUPFD_CLOEXEC, above);
    for (const auto& [from, to] : descriptors) sources.push_back(::fcntl(from, F_DUPFD_CLOEXEC, above));
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
        if (sources[i] < 0 || ::dup2(sources[i], descriptors[i].second) < 0) ::_exit(71);
    }
    ::fexecve(binary, argv.data(), environ);
    ::_exit(71);
}

}  // namespace ekiden::daemon
