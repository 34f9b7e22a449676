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

// What exec takes, made before the fork.
struct Program {
    explicit Program(const HelperRequest& r) : arguments(r.arguments)
    {
        if (arguments.empty()) {
            file = "/bin/sh";
            arguments = {"sh", "-c", r.path};   // what a shell calls itself in its messages
        } else {
            file = arguments[0].c_str();
        }
        for (const auto& [name, value] : r.environment) {
            variables.push_back(name + "=" + value);
            // The program is looked for where it will look itself.
            if (name == "PATH") ::setenv("PATH", value.c_str(), 1);
        }
        argv = pointers(arguments);
        environment = pointers(variables);
    }
    Program(const Program&) = delete;

    const char* file = nullptr;
    std::vector<std::string> arguments, variables;
    std::vector<char*> argv, environment;

private:
    static std::vector<char*> pointers(std::vector<std::string>& texts)
    {
        std::vector<char*> result;
        for (std::string& text : texts) result.push_back(text.data());
        result.push_back(nullptr);
        return result;
    }
};

// What fails after the fork is told through `trouble`: a step and an errno.
struct Trouble {
    char step;   // 'd' chdir, 'x' exec
    int error;
};

[[noreturn]] void become_command(const HelperRequest& r, const Program& program, int input, int output, int trouble)
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
    ::execvpe(program.file, program.argv.data(), program.environment.data());
    give_up('x');
    ::_exit(75);
}

void reap(pid_t child, int& status)
{
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
}

// How a command ended, and what it said until then.
struct End {
    std::string text;
    int status = 0;
    bool is_late = false;   // its time was over: it was killed, with all that it started
};

End hear_out(pid_t child, int output, std::chrono::seconds limit)
{
    End end;
    const auto last = base::steady_now() + limit;
    bool is_gone = false;
    // Its output may be held open by something it left running in the background: its own end counts as well.
    for (bool is_open = true; is_open || !is_gone;) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(last - base::steady_now()).count();
        if (left <= 0) {
            end.is_late = true;
            break;
        }
        if (!is_gone) {
            pid_t got = ::waitpid(child, &end.status, WNOHANG);
            is_gone = got == child || (got < 0 && errno == ECHILD);
        }
        pollfd wait{output, POLLIN, 0};
        int ready =
            ::poll(&wait, is_open ? 1 : 0, is_gone ? 0 : static_cast<int>(std::clamp<long>(left, 1, is_open ? 20 : 1)));
        if (ready <= 0) {
            if (is_gone) break;
            continue;
        }
        char buffer[4096];
        ssize_t n = ::read(output, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) is_open = false;
        else
            end.text.append(buffer, std::min<std::size_t>(static_cast<std::size_t>(n), output_limit - end.text.size()));
    }
    if (!is_gone) {
        if (end.is_late) ::kill(-child, SIGKILL);
        reap(child, end.status);
    }
    return end;
}

// True when it could not read the whole message. A command that stops reading is no fault of the feeder's.
bool has_fed_badly(pid_t feeder, bool is_late)
{
    int status = 0;
    pid_t got = 0;
    for (int attempt = 0; (got = ::waitpid(feeder, &status, WNOHANG)) == 0 && attempt < 200 && !is_late; ++attempt)
        ::poll(nullptr, 0, 5);
    if (got == feeder) return WIFEXITED(status) && WEXITSTATUS(status) != 0;
    ::kill(feeder, SIGKILL);
    reap(feeder, status);
    return false;
}

void answer(Act& act, End end, bool is_fed_badly)
{
    act.answer.text = std::move(end.text);
    if (end.is_late) {
        act.answer.kind = HelperAnswer::Kind::timed_out;
    } else if (WIFSIGNALED(end.status)) {
        act.answer.kind = HelperAnswer::Kind::killed;
        act.answer.exit_status = WTERMSIG(end.status);
    } else if (WEXITSTATUS(end.status) == 0 && is_fed_badly) {
        // It took half a message (our disk failed) for a whole one.
        errno = EIO;
        fail_act(act, "read the message");
    } else {
        act.answer.kind = HelperAnswer::Kind::exited;
        act.answer.exit_status = WEXITSTATUS(end.status);
    }
}

}  // namespace

void run_command(Act& act)
{
    const HelperRequest& r = act.request;
    Pipe input, output, trouble;
    if (!input.open() || !output.open() || !trouble.open()) return fail_act(act, "pipe");
    const Program program(r);

    pid_t child = ::fork();
    if (child < 0) return fail_act(act, "fork");
    if (child == 0) become_command(r, program, input.read.get(), output.write.get(), trouble.write.get());
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
    const int feeder_error = errno;
    input.write.reset();
    if (feeder < 0) {
        int status = 0;
        ::kill(-child, SIGKILL);
        reap(child, status);
        errno = feeder_error;
        return fail_act(act, "fork");
    }

    End end = hear_out(child, output.read.get(), std::chrono::seconds(r.time_limit > 0 ? r.time_limit : 1000));
    // An incomplete message was never accepted by the command: it is only a matter of what the command itself says.
    const bool is_fed_badly = has_fed_badly(feeder, end.is_late);
    Trouble report{};
    if (::read(trouble.read.get(), &report, sizeof report) == sizeof report) {
        errno = report.error;
        return report.step == 'd' ? fail_act(act, "chdir", r.directory) : fail_act(act, "execvp", program.arguments[0]);
    }
    answer(act, std::move(end), is_fed_badly);
}

}  // namespace ekiden::deliver
