#include "tools/sendmail_submit.hpp"

#include "tools/postdrop_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace ekiden::tools {

namespace {

constexpr std::size_t max_answer = 4096;
constexpr std::size_t piece_size = 65536;

struct Pipe {
    Fd read_end, write_end;
};
Result<Pipe> make_pipe()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Error::from_errno("pipe"));
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

Submission::Submission(Submission&& other) noexcept { *this = std::move(other); }

Submission& Submission::operator=(Submission&& other) noexcept
{
    to_.reset();
    wait();
    to_ = std::move(other.to_);
    from_ = std::move(other.from_);
    child_ = std::exchange(other.child_, -1);
    name_ = std::move(other.name_);
    answers_ = std::move(other.answers_);
    return *this;
}

Submission::~Submission()
{
    to_.reset();
    wait();
}

void Submission::wait()
{
    if (child_ <= 0) return;
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {}
    child_ = -1;
}

Result<Submission> Submission::start(const config::Settings& settings, const std::string& config_directory,
                                     const mail::Maildrop& header)
{
    std::signal(SIGPIPE, SIG_IGN);    // a postdrop that gave up says why
    std::string command = find_command(settings, "postdrop");
    EKIDEN_TRY_VALUE(input, make_pipe());
    EKIDEN_TRY_VALUE(output, make_pipe());

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input.read_end.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output.write_end.get(), STDOUT_FILENO);
    std::string name = "postdrop", answers = "-r", with = "-c", directory = config_directory;
    char* arguments[] = {name.data(), answers.data(), directory.empty() ? nullptr : with.data(), directory.data(),
                         nullptr};
    Submission submission;
    const int error = ::posix_spawn(&submission.child_, command.c_str(), &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        submission.child_ = -1;
        return fail(Error::from_errno(error, "unable to execute " + command + " -r"));
    }
    submission.to_ = std::move(input.write_end);
    submission.from_ = std::move(output.read_end);
    input.read_end.reset();
    output.write_end.reset();

    if (auto written = base::write_all(submission.to_.get(), mail::format(header)); !written)
        return fail(submission.end(std::move(written).error()));
    auto answer = submission.read_answer();
    if (!answer || !answer->starts_with("id ")) {
        return fail(submission.end(answer ? Error(ErrorCode::protocol, "unexpected answer of " + command)
                                          : std::move(answer).error()));
    }
    submission.name_ = answer->substr(3);
    return submission;
}

Result<void> Submission::write(std::string_view content)
{
    while (!content.empty()) {
        const auto piece = content.substr(0, piece_size);
        content.remove_prefix(piece.size());
        auto written = base::write_all(to_.get(), drop_piece_head(piece.size()));
        if (written) written = base::write_all(to_.get(), piece);
        if (!written) return fail(end(std::move(written).error()));
    }
    return {};
}

Result<void> Submission::finish()
{
    if (auto written = base::write_all(to_.get(), drop_piece_head(0)); !written)
        return fail(end(std::move(written).error()));
    auto answer = read_answer();
    if (!answer || *answer != "ok")
        return fail(
            end(answer ? Error(ErrorCode::protocol, "unexpected answer of postdrop") : std::move(answer).error()));
    to_.reset();
    wait();
    return {};
}

// The next line; an error for "failed …" and for an end without a word.
Result<std::string> Submission::read_answer()
{
    for (;;) {
        if (const auto line_feed = answers_.find('\n'); line_feed != std::string::npos) {
            std::string line = answers_.substr(0, line_feed);
            answers_.erase(0, line_feed + 1);
            if (line.starts_with("failed ")) return fail(ErrorCode::refused, line.substr(7));
            return line;
        }
        char buffer[512];
        const ssize_t count = ::read(from_.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(Error::from_errno("read"));
        if (count == 0 || answers_.size() > max_answer) return fail(ErrorCode::closed, "queue file write error");
        answers_.append(buffer, static_cast<std::size_t>(count));
    }
}

Error Submission::end(Error error)
{
    to_.reset();
    while (!error.is(ErrorCode::refused)) {
        auto answer = read_answer();
        if (!answer) error = std::move(answer).error();
        if (error.is(ErrorCode::closed)) break;
    }
    wait();
    return error;
}

}  // namespace ekiden::tools
