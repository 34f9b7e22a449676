#include "explain/explain.hpp"

#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "explain/question.hpp"
#include "explain/rehearsal.hpp"
#include "explain/render.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <unistd.h>

namespace ekiden::explain {

namespace {

constexpr int usage_status = 64, input_status = 66, configuration_status = 78;
constexpr std::size_t most_warnings = 20;
constexpr std::size_t largest_message = 16 << 20;    // of --message: it is held in memory

// What would stand in the log: told to whoever asks, and not to syslog.
class Overheard {
public:
    Overheard()
    {
        base::use_sink(base::function_sink([this](base::LogLevel level, std::string_view, std::string line) {
            const std::lock_guard lock(mutex_);
            if (const auto at = line.find("connect from "); at == 0 && client_.empty()) client_ = line.substr(13);
            const bool is_new = std::ranges::find(warnings_, line) == warnings_.end();
            if (level >= base::LogLevel::warning && warnings_.size() < most_warnings && is_new)
                warnings_.push_back(std::move(line));
        }));
    }
    void tell(Findings& findings)
    {
        base::flush_log();
        const std::lock_guard lock(mutex_);
        findings.client = client_;
        findings.warnings = warnings_;
    }

private:
    std::mutex mutex_;
    std::string client_;
    std::vector<std::string> warnings_;
};

std::string usual_message(const Question& question)
{
    return "From: <" + question.sender + ">\nTo: <" + question.recipient +
           ">\nSubject: ekiden explain\n\nA message that nobody sent.\n";
}

Result<std::string> read_message(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Error::from_errno("open", path));
    std::string content;
    std::string piece(65536, '\0');
    while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
        content.append(piece, 0, static_cast<std::size_t>(file.gcount()));
        if (content.size() > largest_message) return fail(ErrorCode::too_long, path + " is larger than 16 MiB");
    }
    std::erase(content, '\r');
    return content;
}

int complain(int status, std::string_view text)
{
    std::fprintf(stderr, "ekiden explain: %.*s\n", static_cast<int>(text.size()), text.data());
    return status;
}

int explain(const Question& question)
{
    std::string content = usual_message(question);
    if (!question.message_file.empty()) {
        auto read = read_message(question.message_file);
        if (!read) return complain(input_status, read.error().text());
        content = std::move(*read);
    }
    config::SettingsPtr settings;
    try {
        config::LoadOptions options;
        options.directory = config::find_config_directory(question.directory);
        settings = config::Settings::load(options);
    } catch (const config::ConfigError& error) {
        return complain(configuration_status, error.what());
    }
    // Before there are threads: it forks.
    auto stand_in = StandIn::start();
    if (!stand_in) return complain(71, stand_in.error().text());
    // Whatever the log's own thread still says finds it there: it lives as long as the program.
    auto* const overheard = new Overheard;
    try {
        Rehearsal rehearsal(question, settings, **stand_in, std::move(content));
        Findings findings = rehearsal.play();
        overheard->tell(findings);
        if (::geteuid() != 0)
            findings.notes.push_back(
                "you are not root: tables, .forward files and lists that you may not read are missing in this answer");
        const std::string page =
            question.is_json ? as_json(findings, rehearsal.places()) : as_text(findings, rehearsal.places());
        std::fwrite(page.data(), 1, page.size(), stdout);
        std::fflush(stdout);
        return findings.verdict.status;
    } catch (const config::ConfigError& error) {
        return complain(configuration_status, error.what());
    }
}

}  // namespace

int explain_main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    const auto question = parse_question(std::vector<std::string>(argv + 1, argv + argc));
    if (!question) {
        complain(usage_status, question.error().text());
        std::fprintf(stderr, "%s\n", usage);
        return usage_status;
    }
    if (question->wants_help) {
        std::printf("%s\n", usage);
        return 0;
    }
    return explain(*question);
}

}  // namespace ekiden::explain
