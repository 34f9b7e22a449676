// The host mail.golden.test in memory, for tests of rewriting: settings, resolver, store, log.
#pragma once

#include "base/log_sinks.hpp"
#include "config/settings.hpp"
#include "rewrite/intake.hpp"
#include "support/memory_store.hpp"
#include "support/run_task.hpp"

#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::rewrite::test {

using Overrides = std::vector<std::pair<std::string, std::string>>;

inline config::SettingsPtr make_settings(const Overrides& more = {})
{
    config::LoadOptions options;
    options.read_main_cf = false;
    options.read_master_cf = false;
    options.is_strict = false;
    options.overrides = {
        {"compatibility_level", "3.6"}, {"myhostname", "mail.golden.test"}, {"mydomain", "golden.test"},
        {"mydestination", "$myhostname, localhost.$mydomain, localhost, $mydomain"}, {"inet_interfaces", "127.0.0.1"},
    };
    options.overrides.insert(options.overrides.end(), more.begin(), more.end());
    return config::Settings::load(options);
}

template <class T>
T run(Task<T> task)
{
    return ekiden::test::run_task(std::move(task));
}

// Log lines of one test, "tag: text".
class LogLines {
public:
    LogLines()
    {
        base::use_sink(base::function_sink([this](LogLevel, std::string_view tag, std::string line) {
            lines.push_back(std::string(tag) + ": " + line);
        }));
    }
    ~LogLines()
    {
        base::flush_log();
        base::use_sink(base::stderr_sink());
    }
    std::string joined()
    {
        base::flush_log();
        std::string out;
        for (const auto& line : lines) (out += line) += '\n';
        return out;
    }
    std::vector<std::string> lines;
    using LogLevel = base::LogLevel;
};

}  // namespace ekiden::rewrite::test
