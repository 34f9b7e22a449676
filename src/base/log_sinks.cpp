#include "base/log_sinks.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"

#include <condition_variable>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <mutex>
#include <syslog.h>
#include <thread>
#include <unistd.h>

namespace ekiden::base {

namespace {

constexpr std::size_t buffer_limit = 8 << 20;
constexpr std::chrono::milliseconds gather_time{5};

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
    DescriptorSink(std::string path, int fd, std::string host)
        : path_(std::move(path)), fd_(fd), host_(std::move(host)), writer_(start_writer())
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

    void write(LogLevel, std::string_view tag, std::string_view label, std::string_view text) override
    {
        std::int64_t now = to_seconds(wall_now());
        bool was_empty;
        {
            std::lock_guard lock(mutex_);
            if (pending_.size() > buffer_limit) {
                ++dropped_;
                return;
            }
            if (now != stamped_second_) stamp(now);
            was_empty = pending_.empty();
            fmt::format_to(std::back_inserter(pending_), "{} {} {}[{}]: {}{}\n", stamp_, host_, tag, pid(), label, text);
        }
        if (was_empty) wake_.notify_one();
    }
    void flush() override
    {
        std::unique_lock lock(mutex_);
        is_hurried_ = true;
        wake_.notify_one();
        idle_.wait(lock, [this] { return pending_.empty() && !is_writing_; });
    }
    void reopen() override
    {
        if (path_.empty()) return;
        flush();
        int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) return;  // the old file goes on: better there than nowhere
        std::lock_guard lock(mutex_);
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
    void run(std::stop_token stop)
    {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return !pending_.empty() || stop.stop_requested(); });
            if (pending_.empty()) return;
            wake_.wait_for(lock, gather_time, [&] { return is_hurried_ || stop.stop_requested(); });
            is_hurried_ = false;
            if (dropped_ > 0) {
                fmt::format_to(std::back_inserter(pending_), "{} {} postfix/log[{}]: warning: {} log lines were dropped: the log file is too slow\n", stamp_, host_, pid(), dropped_);
                dropped_ = 0;
            }
            std::swap(pending_, writing_);
            is_writing_ = true;
            int fd = fd_;
            lock.unlock();
            write_fully(fd, writing_);
            writing_.clear();
            lock.lock();
            is_writing_ = false;
            idle_.notify_all();
        }
    }

    std::string path_;
    int fd_;
    std::string host_;
    std::mutex mutex_;
    std::condition_variable wake_, idle_;
    std::string pending_, writing_, stamp_;
    std::int64_t stamped_second_ = -1;
    std::size_t dropped_ = 0;
    bool is_writing_ = false;
    bool is_hurried_ = false;     // somebody waits in flush()
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
        // The tag differs from line to line (postfix/smtpd, postfix/qmgr…), openlog's ident is one for the process.
        std::lock_guard lock(mutex_);
        ident_ = fmt::format("{}[{}]", tag, ::getpid());
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

}  // namespace

Result<std::unique_ptr<LogSink>> open_file_sink(std::string path, std::string host)
{
    int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(Error::from_errno("open", path));
    return std::make_unique<DescriptorSink>(std::move(path), fd, std::move(host));
}

std::unique_ptr<LogSink> descriptor_sink(int fd, std::string host) { return std::make_unique<DescriptorSink>("", fd, std::move(host)); }
std::unique_ptr<LogSink> syslog_sink(int facility) { return std::make_unique<SyslogSink>(facility); }
std::unique_ptr<LogSink> stderr_sink() { return std::make_unique<StderrSink>(); }
std::unique_ptr<LogSink> function_sink(std::function<void(LogLevel, std::string_view, std::string)> f) { return std::make_unique<FunctionSink>(std::move(f)); }
std::unique_ptr<LogSink> tee_sink(std::unique_ptr<LogSink> a, std::unique_ptr<LogSink> b) { return std::make_unique<TeeSink>(std::move(a), std::move(b)); }

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
