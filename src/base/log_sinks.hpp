// Where log lines go: a file in Postfix's format, standard output, syslog, or a test's memory.
//
// One sink per process, chosen at start (use_sink). Lines are collected in memory and written by one background
// thread, so a slow disk or a dead syslog daemon holds up nobody; the buffer is bounded (8 MiB), and what is dropped
// past that is counted and reported in a warning line. flush_log() waits until everything said so far is written.
// Thread: any.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"

#include <functional>
#include <memory>

namespace ekiden::base {

class LogSink {
public:
    virtual ~LogSink() = default;
    // `text` is printable, without a final newline; `label` is "", "warning: ", "fatal: "….
    virtual void write(LogLevel level, std::string_view tag, std::string_view label, std::string_view text) = 0;
    virtual void flush() {}
    virtual void reopen() {}
};

// "Nov 22 05:34:42 host tag[pid]: label text" (the local time zone). `host` is the first label of $myhostname.
// reopen() opens `path` anew, for rotation; a descriptor may be handed in for processes that may not open it.
Result<std::unique_ptr<LogSink>> open_file_sink(std::string path, std::string host);
std::unique_ptr<LogSink> descriptor_sink(int fd, std::string host);
std::unique_ptr<LogSink> syslog_sink(int facility);
// "tag: label text" on standard error, as Postfix's commands do.
std::unique_ptr<LogSink> stderr_sink();
std::unique_ptr<LogSink> function_sink(std::function<void(LogLevel, std::string_view tag, std::string line)>);

// Sends a line to both.
std::unique_ptr<LogSink> tee_sink(std::unique_ptr<LogSink>, std::unique_ptr<LogSink>);

// Replaces the process's sink (initially stderr_sink). Not while other threads log.
void use_sink(std::unique_ptr<LogSink>);
LogSink& current_sink();
void flush_log();
void reopen_log();

}  // namespace ekiden::base
