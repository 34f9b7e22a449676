// A command as the user: fed with the message, listened to, ended when its time is over.
#include "base/clock.hpp"
#include "deliver/helper/acts.hpp"
#include "deliver/helper/copy.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

constexpr std::size_t output_limit = 4096;

struct Pipe {
    Fd read, write;
    bool open()
    {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) < 0) return false;
        read = Fd(ends[0]);
        write = Fd(ends[1]);
        return true;
    }
};

// Everything is prepared before the fork; what fails after it is told through `trouble`: a step and an errno.
struct Trouble {
    char step;   // 'd' chdir, 'x' exec
    int error;
};

[[noreturn]] void become_command(const HelperRequest& r, const char* program, char* const* argv,
                                 char* const* environment, int input, int output, int trouble)
{
    auto give_up = [trouble](char step) {
        Trouble report{step, errno};
        (void)!::write(trouble, &report, sizeof report);
        ::_exit(75);
    };
    ::setsid();   // a group of its own, so that whatever it starts can be ended with it
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int signal : {SIGPIPE, SIGXFSZ, SIGINT, SIGHUP, SIGTERM, SIGCHLD}) ::signal(signal, SIG_DFL);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    // Whatever else the helper holds open (its channel to the engine above all) is none of the command's business.
    ::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    if (!r.directory.empty() && ::chdir(r.directory.c_str()) < 0) give_up('d');
    ::umask(077);
    if (r.size_limit > 0) limit_file_size(r.size_limit);
    ::execvpe(program, argv, environment);
    give_up('x');
    ::_exit(75);
}

}  // namespace

void run_command(Act& act)
{
    const HelperRequest& r = act.request;
    Pipe input, output, trouble;
    if (!input.open() || !output.open() || !trouble.open()) return fail_act(act, "pipe");

    std::vector<std::string> arguments = r.arguments, variables;
    const bool needs_shell = arguments.empty();
    if (needs_shell) arguments = {"sh", "-c", r.path};   // what a shell calls itself in its messages
    const char* program = needs_shell ? "/bin/sh" : arguments[0].c_str();
    std::vector<char*> argv, environment;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    for (const auto& [name, value] : r.environment) {
        variables.push_back(name + "=" + value);
        // The program is looked for where it will look itself.
        if (name == "PATH") ::setenv("PATH", value.c_str(), 1);
    }
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);

    pid_t child = ::fork();
    if (child < 0) return fail_act(act, "fork");
    if (child == 0)
        become_command(r, program, argv.data(), environment.data(), input.read.get(), output.write.get(),
                       trouble.write.get());
    input.read.reset();
    output.write.reset();
    trouble.write.reset();

    // Feed and listen at the same time: a command may answer before it has read everything, or never read at all.
    pid_t feeder = ::fork();
    if (feeder == 0) {
        ::signal(SIGPIPE, SIG_DFL);
        output.read.reset();
        trouble.read.reset();
        ::_exit(Copy(r, act.content, input.write.get()).run() ? 0 : 1);
    }
    int feeder_error = feeder < 0 ? errno : 0;
    input.write.reset();

    auto end = base::steady_now() + std::chrono::seconds(r.time_limit > 0 ? r.time_limit : 1000);
    std::string text;
    bool is_late = feeder_error != 0, is_gone = false;
    int status = 0;
    // Its output may be held open by something it left running in the background: its own end counts as well.
    for (bool is_open = true; !is_late && (is_open || !is_gone);) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - base::steady_now()).count();
        if (left <= 0) {
            is_late = true;
            break;
        }
        if (!is_gone) {
            pid_t got = ::waitpid(child, &status, WNOHANG);
            is_gone = got == child || (got < 0 && errno == ECHILD);
        }
        pollfd wait{output.read.get(), POLLIN, 0};
        int ready =
            ::poll(&wait, is_open ? 1 : 0, is_gone ? 0 : static_cast<int>(std::clamp<long>(left, 1, is_open ? 20 : 1)));
        if (ready <= 0) {
            if (is_gone) break;
            continue;
        }
        char buffer[4096];
        ssize_t n = ::read(output.read.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) is_open = false;
        else text.append(buffer, std::min<std::size_t>(static_cast<std::size_t>(n), output_limit - text.size()));
    }
    if (!is_gone) {
        if (is_late) ::kill(-child, SIGKILL);
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    }
    // An incomplete message was never accepted by the command: it is only a matter of what the command itself says.
    bool is_fed_badly = false;
    if (feeder > 0) {
        int feed_status = 0;
        pid_t got = 0;
        for (int attempt = 0; (got = ::waitpid(feeder, &feed_status, WNOHANG)) == 0 && attempt < 200 && !is_late;
             ++attempt)
            ::poll(nullptr, 0, 5);
        if (got != feeder) {
            ::kill(feeder, SIGKILL);
            while (::waitpid(feeder, nullptr, 0) < 0 && errno == EINTR) {}
        } else {
            is_fed_badly = WIFEXITED(feed_status) && WEXITSTATUS(feed_status) != 0;
        }
    }
    if (feeder_error != 0) return errno = feeder_error, fail_act(act, "fork");
    Trouble report{};
    if (::read(trouble.read.get(), &report, sizeof report) == sizeof report) {
        errno = report.error;
        return report.step == 'd' ? fail_act(act, "chdir", r.directory) : fail_act(act, "execvp", arguments[0]);
    }
    act.answer.text = std::move(text);
    if (is_late) {
        act.answer.kind = HelperAnswer::Kind::timed_out;
    } else if (WIFSIGNALED(status)) {
        act.answer.kind = HelperAnswer::Kind::killed;
        act.answer.exit_status = WTERMSIG(status);
    } else if (WEXITSTATUS(status) == 0 && is_fed_badly) {
        // It took half a message (our disk failed) for a whole one.
        errno = EIO;
        fail_act(act, "read the message");
    } else {
        act.answer.kind = HelperAnswer::Kind::exited;
        act.answer.exit_status = WEXITSTATUS(status);
    }
}

}  // namespace ekiden::deliver
