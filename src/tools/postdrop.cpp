// postdrop(1): takes one message from an unprivileged user and puts it into the maildrop folder, where only the mail
// system reads. Runs with the set-gid group and nothing else, so this file stays short enough to be read at once.
//
// A file appears under its final name only when it is whole and on the disk; whatever ends this program before that
// (an error, a signal, a sender that died) removes the half-written one. The server need not run.
#include "base/fd.hpp"
#include "control/client.hpp"
#include "mail/queue_id.hpp"
#include "tools/commands.hpp"
#include "tools/postdrop_sender.hpp"
#include "tools/postdrop_stream.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr int exit_failed = 1;
constexpr int exit_interrupted = 75;
constexpr auto usage = "usage: postdrop [-c config_dir] [-v]";

// The half-written file, where a signal handler can find it: absolute, because handlers must not build strings.
char unfinished[4096];

void remove_unfinished()
{
    if (unfinished[0] != '\0') ::unlink(unfinished);
    unfinished[0] = '\0';
}

extern "C" void end_by_signal(int)
{
    remove_unfinished();
    ::_exit(exit_interrupted);
}

void handle_signals()
{
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);    // write() says it instead
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
        struct sigaction old{};
        ::sigaction(number, nullptr, &old);
        if (number == SIGHUP && old.sa_handler == SIG_IGN) continue;    // nohup
        struct sigaction ours{};
        ours.sa_handler = end_by_signal;
        sigfillset(&ours.sa_mask);
        ::sigaction(number, &ours, nullptr);
    }
}

// One message on its way into the folder.
class DropFile {
public:
    explicit DropFile(std::string folder) : folder_(std::move(folder)) {}
    ~DropFile() { remove_unfinished(); }

    Result<void> open()
    {
        // The name looks like a queue id, which goes into Received when sendmail speaks SMTP.
        for (int attempt = 0; attempt < 100; ++attempt) {
            name_ = mail::format(mail::make_queue_id());
            const std::string path = folder_ + "/." + name_;
            if (path.size() >= sizeof unfinished) return fail(ErrorCode::too_long, "path too long: " + path);
            const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
            if (fd < 0 && errno == EEXIST) continue;    // another sender, in the same microsecond
            if (fd < 0) return fail(Error::from_errno("create file", "maildrop/" + name_));
            std::memcpy(unfinished, path.c_str(), path.size() + 1);
            fd_ = Fd(fd);
            return {};
        }
        return fail(ErrorCode::unavailable, "no name is free in maildrop");
    }

    Result<void> write(std::string_view bytes) { return base::write_all(fd_.get(), bytes); }

    // The collector runs as another user and may read; nobody else can pass through the folder.
    Result<void> finish()
    {
        if (::fchmod(fd_.get(), 0644) != 0) return fail(Error::from_errno("fchmod", name_));
        EKIDEN_TRY(base::sync_file(fd_.get()));
        std::string path = folder_ + "/" + name_;
        // Nothing may be written over: a message of the same name waits to be collected.
        if (::access(path.c_str(), F_OK) == 0) path += fmt::format(".{:x}", ::getpid());
        if (::rename(unfinished, path.c_str()) != 0) return fail(Error::from_errno("rename to", path));
        unfinished[0] = '\0';
        return sync_name();
    }

    const std::string& name() const { return name_; }

private:
    // This group may search and write the folder but not read it, so often it cannot be opened for fsync. Then the file
    // is synced once more: on Linux's file systems that takes the new name with it.
    Result<void> sync_name()
    {
        if (base::sync_folder(folder_)) return {};
        return base::sync_file(fd_.get());
    }

    std::string folder_, name_;
    Fd fd_;
};

void answer(bool is_wanted, const std::string& line)
{
    if (is_wanted) (void)base::write_all(STDOUT_FILENO, line + "\n");   // a sender that is gone learns nothing
}

// What stops a message, in the words for the sender and for the log (when they differ).
struct Failure {
    std::string text, log_text;
    bool is_told = false;   // the program that started this one says it, in the log too
};
std::unexpected<Failure> failed(std::string text, std::string log_text = {})
{
    if (log_text.empty()) log_text = text;
    return std::unexpected(Failure{std::move(text), std::move(log_text)});
}

// Reads the message from standard input into the file. False: the sender ended without one, or gave up in the middle.
std::expected<bool, Failure> copy(DropFile& file, const config::Settings& settings, bool answers)
{
    const auto size_limit = static_cast<std::uint64_t>(settings.integer("message_size_limit"));
    DropDecoder decoder;
    std::string content, buffer(65536, '\0');
    std::uint64_t size = 0;
    bool is_open = false;
    while (!decoder.is_complete()) {
        const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed(Error::from_errno("read").text());
        if (count == 0) return false;
        content.clear();
        const auto fed = decoder.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)), content);
        if (!fed) return failed("malformed input", "malformed input: " + fed.error().text());
        if (!decoder.has_header()) continue;
        Result<void> written;
        if (!is_open) {
            if (auto problem = find_sender_problem(settings, ::getuid(), decoder.header().sender); !problem.empty())
                return std::unexpected(Failure{problem, problem, true});
            // Before the first byte of content, so that a folder that refuses is told before a long message is read.
            written = file.open();
            if (!written) return failed("queue file write error", written.error().text());
            answer(answers, "id " + file.name());
            is_open = true;
            written = file.write(mail::format(decoder.header()));
        }
        size += content.size();
        if (size_limit > 0 && size > size_limit) return failed("message file too big", std::strerror(EFBIG));
        if (written) written = file.write(content);
        if (!written) return failed("queue file write error", written.error().text());
    }
    return true;
}

}  // namespace

int postdrop_main(int argc, char** argv)
{
    ::umask(077);
    handle_signals();
    sanitize_environment();
    Voice voice("postdrop", exit_failed);
    static char name[] = "postdrop";
    argv[0] = name;
    std::string directory;
    bool answers = false;
    int option;
    while ((option = ::getopt(argc, argv, "+c:rv")) != -1) {
        switch (option) {
        case 'c': directory = optarg; break;
        case 'r': answers = true; break;
        case 'v': break;
        default: voice.fatal(usage);
        }
    }
    const config::SettingsPtr settings = load_settings(voice, directory);
    check_user(voice, *settings, "authorized_submit_users", "submit mail");

    const std::string queue_directory = settings->str("queue_directory");
    DropFile file(queue_directory + "/maildrop");
    auto done = copy(file, *settings, answers);
    if (done && !*done) return 0;
    if (done) {
        if (auto finished = file.finish(); !finished) done = failed("queue file write error", finished.error().text());
    }
    if (!done) {
        remove_unfinished();
        answer(answers, "failed " + done.error().text);
        const std::string text = fmt::format("uid={}: {}", ::getuid(), done.error().log_text);
        if (!answers) voice.fatal(text);
        if (!done.error().is_told) voice.warning(text);
        return exit_failed;
    }
    answer(answers, "ok");
    // The collector sees the folder change by itself; this only spares it the wait where it cannot watch.
    (void)control::call(queue_directory, {"pickup"});
    return 0;
}

}  // namespace ekiden::tools
