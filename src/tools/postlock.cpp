// postlock(1): runs a command while a mailbox is locked as the local delivery agent locks it.
#include "base/fd.hpp"
#include "base/text.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr int try_later = 75;    // EX_TEMPFAIL: no lock, so the command did not run
constexpr int command_failed = 1;   // it could not be executed, or a signal ended it
constexpr auto usage = "usage: postlock [-c config_dir] [-l lock_style] [-v] folder command...";

// FILE.lock, made exclusively, gone at the end.
class DotLock {
public:
    ~DotLock() { release(); }
    void release()
    {
        if (!path_.empty()) ::unlink(path_.c_str());
        path_.clear();
    }
    // False: somebody has it.
    Result<bool> take(const std::string& file, std::int64_t stale_seconds)
    {
        const std::string path = file + ".lock";
        auto made = base::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0);
        if (made) {
            path_ = path;
            return true;
        }
        if (made.error().os_error() != EEXIST) return std::unexpected(made.error());
        struct stat info{};
        if (::stat(path.c_str(), &info) == 0 && ::time(nullptr) - info.st_ctime > stale_seconds) ::unlink(path.c_str());
        return false;
    }

private:
    std::string path_;
};

// False: somebody has it.
Result<bool> take_kernel_lock(int fd, std::string_view style)
{
    int status = 0;
    if (style == "flock") {
        status = ::flock(fd, LOCK_EX | LOCK_NB);
    } else {
        struct flock lock{};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        status = ::fcntl(fd, F_SETLK, &lock);
    }
    if (status == 0) return true;
    if (errno == EWOULDBLOCK || errno == EAGAIN || errno == EACCES || errno == EINTR) return false;
    return fail(Error::from_errno("lock"));
}

struct Styles {
    std::vector<std::string> kernel;
    bool has_dotlock = false;
};

Styles parse_styles(const Voice& voice, std::string_view text)
{
    Styles styles;
    for (const auto word : base::split_any(text, ", \t\r\n")) {
        if (word == "dotlock") styles.has_dotlock = true;
        else if (word == "fcntl" || word == "flock") styles.kernel.emplace_back(word);
        else
            voice.fatal(fmt::format("unknown mailbox_delivery_lock value \"{}\" in \"{}\"; want fcntl, flock, dotlock",
                                    word, text));
    }
    if (styles.kernel.empty() && !styles.has_dotlock) voice.fatal("no lock style is given");
    return styles;
}

}  // namespace

int postlock_main(int argc, char** argv)
{
    Voice voice("postlock", try_later);
    static char name[] = "postlock";
    argv[0] = name;
    std::string directory;
    std::optional<std::string> wanted;
    int option;
    while ((option = ::getopt(argc, argv, "+c:l:v")) != -1) {
        switch (option) {
        case 'c': directory = optarg; break;
        case 'l': wanted = optarg; break;
        case 'v': break;
        default: voice.fatal(usage);
        }
    }
    if (argc - optind < 2) voice.fatal(usage);
    const std::string file = argv[optind];
    const config::SettingsPtr settings = load_settings(voice, directory);
    const Styles styles = parse_styles(voice, wanted ? *wanted : settings->str("mailbox_delivery_lock"));

    auto opened =
        base::open_file(file, O_RDWR | O_APPEND | O_CREAT, 0600);  // a mailbox comes into being with its first message
    if (!opened) voice.fatal(opened.error().text());
    const auto attempts = settings->integer("deliver_lock_attempts");
    const auto delay = std::chrono::milliseconds(settings->time("deliver_lock_delay"));
    const auto stale = settings->time("stale_lock_time").count();
    DotLock dot;
    bool is_locked = false;
    std::string why_not;
    for (std::int64_t attempt = 0; !is_locked; ++attempt) {
        if (attempt > 0 && attempt >= attempts)
            voice.fatal(fmt::format("unable to lock for exclusive access: {}{}", file, why_not));
        if (attempt > 0) ::poll(nullptr, 0, static_cast<int>(delay.count()));
        auto taken = styles.has_dotlock ? dot.take(file, stale) : Result<bool>(true);
        why_not = taken && !*taken ? fmt::format(": there is {}.lock; if nothing uses the mailbox, remove it", file)
                                   : ": another program has locked it";
        for (const std::string& style : styles.kernel) {
            if (taken && *taken) taken = take_kernel_lock(opened->get(), style);
        }
        if (!taken) {
            dot.release();
            voice.fatal(fmt::format("lock {}: {}", file, taken.error().text()));
        }
        is_locked = *taken;
        if (!is_locked) dot.release();
    }

    // An interrupt is for the command; we live on to take the lock away.
    for (const int signal : {SIGINT, SIGQUIT, SIGHUP, SIGTERM}) std::signal(signal, SIG_IGN);
    const pid_t child = ::fork();
    if (child < 0) {
        dot.release();
        voice.fatal(fmt::format("fork: {}", std::strerror(errno)));
    }
    if (child == 0) {
        for (const int signal : {SIGINT, SIGQUIT, SIGHUP, SIGTERM}) std::signal(signal, SIG_DFL);
        ::execvp(argv[optind + 1], argv + optind + 1);
        std::fprintf(stderr, "postlock: fatal: execvp %s: %s\n", argv[optind + 1], std::strerror(errno));
        ::_exit(command_failed);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    dot.release();
    return WIFEXITED(status) ? WEXITSTATUS(status) : command_failed;
}

}  // namespace ekiden::tools
