#include "base/log_sinks.hpp"

#include "base/clock.hpp"
#include "base/log_json.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sys/stat.h>
#include <syslog.h>
#include <thread>
#include <unistd.h>

namespace ekiden::base {

namespace {

constexpr std::size_t buffer_limit = 8 << 20;
constexpr std::chrono::milliseconds gather_time{5};
constexpr std::size_t pipe_step = 4096;                      // what a pipe takes in one piece (PIPE_BUF)
constexpr std::chrono::milliseconds pipe_poll{100};
constexpr std::chrono::seconds reader_limit{2};              // how long who flushes waits for a reader
constexpr std::chrono::seconds flush_limit{10};

bool write_fully(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

// Formats lines into a buffer that one thread writes out. The thread wakes at the first line, gives others a few
// milliseconds to follow, and takes all that gathered: a message's lines go out in one system call.
class DescriptorSink : public LogSink {
public:
    DescriptorSink(std::string path, int fd, std::string host, mode_t mode, LogFormat format)
        : path_(std::move(path)), mode_(mode), format_(format), fd_(fd), host_(std::move(host)), writer_(start_writer())
    {
    }
    ~DescriptorSink() override
    {
        {
            // Under the lock, or the writer could look, find nothing, and go to sleep right behind our call: for ever.
            std::lock_guard lock(mutex_);
            writer_.request_stop();
        }
        wake_.notify_all();
        writer_.join();
        if (!path_.empty()) ::close(fd_);
    }

    void write(LogLevel level, std::string_view tag, std::string_view label, std::string_view text) override
    {
        write_for(pid(), level, tag, label, text);
    }
    void write_for(pid_t pid, LogLevel level, std::string_view tag, std::string_view label,
                   std::string_view text) override
    {
        const WallTime when = wall_now();
        const std::string record =
            format_ == LogFormat::json ? json_record({when, host_, tag, pid, level, text}) : std::string();
        bool was_empty;
        {
            std::lock_guard lock(mutex_);
            if (pending_.size() > buffer_limit) {
                ++dropped_;
                return;
            }
            was_empty = pending_.empty();
            if (format_ == LogFormat::json) (pending_ += record) += '\n';
            else add_line(to_seconds(when), tag, pid, label, text);
        }
        if (was_empty) wake_.notify_one();
    }
    void flush() override
    {
        std::unique_lock lock(mutex_);
        ++hurried_;
        wake_.notify_one();
        idle_.wait_for(lock, flush_limit, [this] { return pending_.empty() && !is_writing_; });
        --hurried_;
    }
    void reopen() override
    {
        if (path_.empty()) return;
        flush();
        auto opened = open_log_file(path_, mode_);
        if (!opened) return;  // the old file goes on: better there than nowhere
        int fd = opened->release();
        std::unique_lock lock(mutex_);
        // A writer that waits for the reader of a pipe has the old number in its hands.
        if (!idle_.wait_for(lock, flush_limit, [this] { return !is_writing_; })) {
            ::close(fd);
            return;
        }
        std::swap(fd, fd_);
        ::close(fd);
    }

private:
    // The writer must not be the thread that a signal of the process hits.
    std::jthread start_writer()
    {
        sigset_t all, before;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        std::jthread writer([this](std::stop_token stop) { run(stop); });
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return writer;
    }
    static pid_t pid()
    {
        static thread_local pid_t cached = ::getpid();  // sinks are made after the last fork
        return cached;
    }
    void add_line(std::int64_t now, std::string_view tag, pid_t pid, std::string_view label, std::string_view text)
    {
        if (now != stamped_second_) stamp(now);
        fmt::format_to(std::back_inserter(pending_), "{} {} {}[{}]: {}{}\n", stamp_, host_, tag, pid, label, text);
    }
    void stamp(std::int64_t now)
    {
        std::time_t t = now;
        std::tm local{};
        localtime_r(&t, &local);
        char text[32];
        std::strftime(text, sizeof text, "%b %e %H:%M:%S", &local);
        stamp_ = text;
        stamped_second_ = now;
    }
    // Returns how many lines could not be written. What is no file may have nobody who reads it: it is fed in pieces of
    // whole lines that it takes at once, so that the lines of several processes do not mix, and waited for only as long
    // as nobody waits for us.
    std::size_t write_out(int fd, std::string_view bytes, const std::stop_token& stop)
    {
        const auto lines_of = [](std::string_view text) {
            return static_cast<std::size_t>(std::ranges::count(text, '\n'));
        };
        struct stat info{};
        if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return write_fully(fd, bytes) ? 0 : lines_of(bytes);
        auto hurried_since = steady_now();
        while (!bytes.empty()) {
            std::string_view piece = bytes.substr(0, pipe_step);
            if (piece.size() < bytes.size() && piece.rfind('\n') != piece.npos)
                piece = piece.substr(0, piece.rfind('\n') + 1);
            pollfd wait{fd, POLLOUT, 0};
            const int ready = ::poll(&wait, 1, static_cast<int>(pipe_poll.count()));
            if (ready > 0) {
                const ssize_t count = ::write(fd, piece.data(), piece.size());
                if (count >= 0) bytes.remove_prefix(static_cast<std::size_t>(count));
                else if (errno != EINTR && errno != EAGAIN) return lines_of(bytes);
                hurried_since = steady_now();
                continue;
            }
            if (hurried_ == 0 && !stop.stop_requested()) hurried_since = steady_now();
            if (steady_now() - hurried_since > reader_limit) return lines_of(bytes);
        }
        return 0;
    }
    void run(std::stop_token stop)
    {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return !pending_.empty() || stop.stop_requested(); });
            if (pending_.empty()) return;
            wake_.wait_for(lock, gather_time, [&] { return hurried_ > 0 || stop.stop_requested(); });
            if (dropped_ > 0) {
                const std::string text =
                    fmt::format("{} log lines were dropped: the log file could not take them", dropped_);
                const WallTime when = wall_now();
                if (format_ == LogFormat::json)
                    (pending_ += json_record({when, host_, "postfix/log", pid(), LogLevel::warning, text})) += '\n';
                else add_line(to_seconds(when), "postfix/log", pid(), label_of(LogLevel::warning), text);
                dropped_ = 0;
            }
            std::swap(pending_, writing_);
            is_writing_ = true;
            int fd = fd_;
            lock.unlock();
            const std::size_t lost = write_out(fd, writing_, stop);
            writing_.clear();
            lock.lock();
            dropped_ += lost;
            is_writing_ = false;
            idle_.notify_all();
        }
    }

    std::string path_;
    mode_t mode_;
    LogFormat format_;
    int fd_;
    std::string host_;
    std::mutex mutex_;
    std::condition_variable wake_, idle_;
    std::string pending_, writing_, stamp_;
    std::int64_t stamped_second_ = -1;
    std::size_t dropped_ = 0;
    bool is_writing_ = false;
    std::atomic<int> hurried_ = 0;     // how many wait in flush()
    std::jthread writer_;
};

int syslog_priority(LogLevel level)
{
    switch (level) {
    case LogLevel::debug:
    case LogLevel::info: return LOG_INFO;
    case LogLevel::warning: return LOG_WARNING;
    case LogLevel::error: return LOG_ERR;
    default: return LOG_CRIT;
    }
}

class SyslogSink : public LogSink {
public:
    // LOG_NDELAY: the connection is made now, before privileges and the file system view change.
    explicit SyslogSink(int facility) : facility_(facility) { ::openlog("", LOG_NDELAY, facility); }
    ~SyslogSink() override { ::closelog(); }
    void write(LogLevel level, std::string_view tag, std::string_view label, std::string_view text) override
    {
        write_for(::getpid(), level, tag, label, text);
    }
    void write_for(pid_t pid, LogLevel level, std::string_view tag, std::string_view label,
                   std::string_view text) override
    {
        // The tag differs from line to line (postfix/smtpd, postfix/qmgr…), openlog's ident is one for the process.
        std::lock_guard lock(mutex_);
        ident_ = fmt::format("{}[{}]", tag, pid);
        ::openlog(ident_.c_str(), LOG_NDELAY, facility_);
        ::syslog(syslog_priority(level), "%.*s%.*s", int(label.size()), label.data(), int(text.size()), text.data());
    }

private:
    int facility_;
    std::mutex mutex_;
    std::string ident_;
};

class StderrSink : public LogSink {
public:
    void write(LogLevel, std::string_view tag, std::string_view label, std::string_view text) override
    {
        write_fully(STDERR_FILENO, fmt::format("{}: {}{}\n", tag, label, text));
    }
};

class FunctionSink : public LogSink {
public:
    explicit FunctionSink(std::function<void(LogLevel, std::string_view, std::string)> f) : function_(std::move(f)) {}
    void write(LogLevel level, std::string_view tag, std::string_view label, std::string_view text) override
    {
        std::lock_guard lock(mutex_);
        function_(level, tag, fmt::format("{}{}", label, text));
    }

private:
    std::mutex mutex_;
    std::function<void(LogLevel, std::string_view, std::string)> function_;
};

class TeeSink : public LogSink {
public:
    TeeSink(std::unique_ptr<LogSink> a, std::unique_ptr<LogSink> b) : a_(std::move(a)), b_(std::move(b)) {}
    void write(LogLevel level, std::string_view tag, std::string_view label, std::string_view text) override
    {
        a_->write(level, tag, label, text);
        b_->write(level, tag, label, text);
    }
    void write_for(pid_t pid, LogLevel level, std::string_view tag, std::string_view label,
                   std::string_view text) override
    {
        a_->write_for(pid, level, tag, label, text);
        b_->write_for(pid, level, tag, label, text);
    }
    void flush() override { a_->flush(), b_->flush(); }
    void reopen() override { a_->reopen(), b_->reopen(); }

private:
    std::unique_ptr<LogSink> a_, b_;
};

std::unique_ptr<LogSink>& sink()
{
    static std::unique_ptr<LogSink> current = std::make_unique<StderrSink>();
    return current;
}

}  // namespace

std::optional<mode_t> parse_log_mode(std::string_view text)
{
    if (text.size() == 4 && text.starts_with('0')) text.remove_prefix(1);
    for (const auto& [name, mode] : {std::pair<std::string_view, mode_t>{"600", 0600}, {"640", 0640}, {"644", 0644}}) {
        if (text == name) return mode;
    }
    return std::nullopt;
}

Result<Fd> open_log_file(const std::string& path, mode_t mode)
{
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) {
        return open_file(path, (S_ISFIFO(info.st_mode) ? O_RDWR | O_NONBLOCK : O_WRONLY | O_NOCTTY) | O_APPEND);
    }
    // O_EXCL: who makes the file sets its mode, whatever the umask says, and nobody else's.
    auto made = open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, mode);
    if (made) (void)::fchmod(made->get(), mode);
    if (made || made.error().os_error() != EEXIST) return made;
    return open_file(path, O_WRONLY | O_APPEND);
}

Result<std::unique_ptr<LogSink>> open_file_sink(std::string path, std::string host, mode_t mode, LogFormat format)
{
    EKIDEN_TRY_VALUE(fd, open_log_file(path, mode));
    return std::make_unique<DescriptorSink>(std::move(path), fd.release(), std::move(host), mode, format);
}

std::unique_ptr<LogSink> descriptor_sink(int fd, std::string host, LogFormat format)
{
    return std::make_unique<DescriptorSink>("", fd, std::move(host), 0600, format);
}
std::unique_ptr<LogSink> syslog_sink(int facility) { return std::make_unique<SyslogSink>(facility); }
std::unique_ptr<LogSink> stderr_sink() { return std::make_unique<StderrSink>(); }
std::unique_ptr<LogSink> function_sink(std::function<void(LogLevel, std::string_view, std::string)> f)
{
    return std::make_unique<FunctionSink>(std::move(f));
}
std::unique_ptr<LogSink> tee_sink(std::unique_ptr<LogSink> a, std::unique_ptr<LogSink> b)
{
    return std::make_unique<TeeSink>(std::move(a), std::move(b));
}

std::string_view label_of(LogLevel level)
{
    switch (level) {
    case LogLevel::warning: return "warning: ";
    case LogLevel::error: return "error: ";
    case LogLevel::fatal: return "fatal: ";
    case LogLevel::panic: return "panic: ";
    default: return "";
    }
}

void use_sink(std::unique_ptr<LogSink> next) { sink() = std::move(next); }
LogSink& current_sink() { return *sink(); }
void flush_log() { sink()->flush(); }
void reopen_log() { sink()->reopen(); }

void Logger::write(LogLevel level, std::string_view text) const
{
    bool is_clean = std::all_of(text.begin(), text.end(), is_print);
    if (is_clean) sink()->write(level, tag(), label_of(level), text);
    else sink()->write(level, tag(), label_of(level), printable(text));
    if (level >= LogLevel::fatal) sink()->flush();
}

}  // namespace ekiden::base
