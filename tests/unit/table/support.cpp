#include "support.hpp"

#include "base/locked.hpp"
#include "base/log_sinks.hpp"

namespace ekiden::table {

static base::Locked<std::vector<std::string>>& kept()
{
    static base::Locked<std::vector<std::string>> lines;
    return lines;
}

KeptLog::KeptLog()
{
    base::flush_log();
    kept().lock()->clear();
    base::use_sink(base::function_sink(
        [](base::LogLevel, std::string_view, std::string line) { kept().lock()->push_back(std::move(line)); }));
}

KeptLog::~KeptLog()
{
    base::flush_log();
    base::use_sink(base::stderr_sink());
}

std::vector<std::string> KeptLog::lines()
{
    base::flush_log();
    return *kept().lock();
}

}  // namespace ekiden::table
