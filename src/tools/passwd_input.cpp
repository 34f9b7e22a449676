// How ekiden passwd gets at a password: from the terminal, without echo, or from a pipe.
#include "tools/passwd.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr std::size_t max_password = 1023;
volatile std::sig_atomic_t caught_signal = 0;

void catch_signal(int number) { caught_signal = number; }

// While it lives the terminal shows nothing of what is typed, and a signal ends the reading and not yet the program.
class NoEcho {
public:
    explicit NoEcho(int fd) : fd_(fd)
    {
        struct sigaction action {};
        action.sa_handler = catch_signal;    // without SA_RESTART: read() comes back
        for (std::size_t i = 0; i < std::size(signals); ++i) ::sigaction(signals[i], &action, &before_[i]);
        is_changed_ = ::tcgetattr(fd, &settings_) == 0;
        termios quiet = settings_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOE | ECHOK | ECHONL);
        is_changed_ = is_changed_ && ::tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
    }
    ~NoEcho()
    {
        if (is_changed_) ::tcsetattr(fd_, TCSAFLUSH, &settings_);
        for (std::size_t i = 0; i < std::size(signals); ++i) ::sigaction(signals[i], &before_[i], nullptr);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;
    bool is_on() const { return is_changed_; }

private:
    static constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    int fd_;
    bool is_changed_ = false;
    termios settings_{};
    struct sigaction before_[std::size(signals)] {};
};

Result<sasl::Secret> ask(int terminal, const std::string& prompt)
{
    EKIDEN_TRY(base::write_all(terminal, prompt));
    auto answer = read_password(terminal);
    EKIDEN_TRY(base::write_all(terminal, "\n"));    // the one that was typed was not shown
    return answer;
}

Result<sasl::Secret> ask_twice(int terminal, const std::string& name)
{
    const NoEcho quiet(terminal);
    if (!quiet.is_on()) return std::unexpected(Error::from_errno("turn off the echo of", "/dev/tty"));
    EKIDEN_TRY_VALUE(first, ask(terminal, "Password for " + base::printable(name) + ": "));
    EKIDEN_TRY_VALUE(second, ask(terminal, "The same again: "));
    if (!sasl::equal_in_constant_time(first.view(), second.view()))
        return fail(ErrorCode::refused, "the two passwords differ; nothing is changed");
    return std::move(first);
}

}  // namespace

Result<sasl::Secret> read_password(int fd)
{
    sasl::Secret password;
    std::string& text = password.buffer();
    text.reserve(max_password + 1);
    for (;;) {
        char c = 0;
        const ssize_t size = ::read(fd, &c, 1);
        if (size < 0 && errno == EINTR && caught_signal == 0) continue;
        if (size < 0) return std::unexpected(Error::from_errno("read the password"));
        if (size == 0 || c == '\n') break;
        if (text.size() == max_password) return fail(ErrorCode::too_long, "the password is too long");
        text += c;
    }
    if (password.is_empty()) return fail(ErrorCode::refused, "the password is empty; nothing is changed");
    return password;
}

Result<sasl::Secret> ask_password(const std::string& name)
{
    auto terminal = base::open_file("/dev/tty", O_RDWR | O_NOCTTY);
    if (!terminal)
        return fail(ErrorCode::refused,
                    "there is no terminal to ask for the password; with -p it is read from standard input");
    auto password = ask_twice(terminal->get(), name);
    if (caught_signal != 0) ::raise(caught_signal);    // the terminal is in order again: now it counts
    return password;
}

}  // namespace ekiden::tools
