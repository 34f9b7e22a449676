// Postfix's log lines: `postfix/smtpd[123]: text`. A Logger carries the tag (what stands before `[pid]`); whoever
// works on behalf of a service is handed that service's Logger, so `-o syslog_name=…` needs no further thought.
//
// Text is escaped once, here: control characters become '?'. Lines go to the process's sink (log_sinks.hpp) through a
// buffer; logging never blocks on a disk or a syslog daemon. Thread: any.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

namespace ekiden::base {

enum class LogLevel { debug, info, warning, error, fatal, panic };

class Logger {
public:
    Logger() : Logger("ekiden") {}
    explicit Logger(std::string tag, int verbosity = 0) : state_(std::make_shared<State>(std::move(tag), verbosity)) {}

    template <class... A>
    void info(fmt::format_string<A...> format, A&&... args) const
    {
        write(LogLevel::info, fmt::format(format, std::forward<A>(args)...));
    }
    template <class... A>  // "warning: …": a person should look
    void warning(fmt::format_string<A...> format, A&&... args) const
    {
        write(LogLevel::warning, fmt::format(format, std::forward<A>(args)...));
    }
    template <class... A>  // "error: …"
    void error(fmt::format_string<A...> format, A&&... args) const
    {
        write(LogLevel::error, fmt::format(format, std::forward<A>(args)...));
    }
    template <class... A>  // "fatal: …": the caller ends this process or service right after it
    void fatal(fmt::format_string<A...> format, A&&... args) const
    {
        write(LogLevel::fatal, fmt::format(format, std::forward<A>(args)...));
    }
    template <class... A>  // written only for services run with -v
    void debug(fmt::format_string<A...> format, A&&... args) const
    {
        if (is_verbose()) write(LogLevel::debug, fmt::format(format, std::forward<A>(args)...));
    }

    bool is_verbose() const { return state_->verbosity > 0; }
    const std::string& tag() const { return state_->tag; }
    void write(LogLevel level, std::string_view text) const;

private:
    struct State {
        State(std::string t, int v) : tag(std::move(t)), verbosity(v) {}
        std::string tag;
        int verbosity;
    };
    std::shared_ptr<const State> state_;
};

}  // namespace ekiden::base

namespace ekiden {
using base::Logger;
}
