#include "deliver/local/command.hpp"

#include "base/text.hpp"
#include "config/expand.hpp"
#include "deliver/mailbox_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <sysexits.h>

namespace ekiden::deliver {

namespace {

constexpr std::string_view shell_characters = "~`!#$%^&*()|{}[];'\"\\<>?=\n\r";
constexpr std::string_view shell_words[] = {
    ".",    ":",        "alias",   "bg",      "break", "case",   "cd",   "command", "continue", "do",     "done",
    "echo", "elif",     "else",    "esac",    "eval",  "exec",   "exit", "export",  "false",    "fc",     "fg",
    "fi",   "for",      "getopts", "hash",    "if",    "in",     "jobs", "kill",    "local",    "printf", "pwd",
    "read", "readonly", "return",  "set",     "shift", "source", "test", "then",    "times",    "trap",   "true",
    "type", "ulimit",   "umask",   "unalias", "unset", "until",  "wait", "while",
};

struct ExitStatus {
    int status;
    std::string_view code, text;
};
// <sysexits.h>, with the enhanced status code that says the same.
constexpr ExitStatus exit_statuses[] = {
    {EX_USAGE, "5.3.0", "command line usage error"},
    {EX_DATAERR, "5.6.0", "data format error"},
    {EX_NOINPUT, "5.3.0", "cannot open input"},
    {EX_NOUSER, "5.1.1", "user unknown"},
    {EX_NOHOST, "5.1.2", "host name unknown"},
    {EX_UNAVAILABLE, "5.3.0", "service unavailable"},
    {EX_SOFTWARE, "5.3.0", "internal software error"},
    {EX_OSERR, "4.3.0", "system resource problem"},
    {EX_OSFILE, "5.3.0", "critical OS file missing"},
    {EX_CANTCREAT, "5.2.0", "can't create user output file"},
    {EX_IOERR, "5.3.0", "input/output error"},
    {EX_TEMPFAIL, "4.3.0", "temporary failure"},
    {EX_PROTOCOL, "5.5.0", "remote error in protocol"},
    {EX_NOPERM, "5.7.0", "permission denied"},
    {EX_CONFIG, "5.3.5", "local configuration error"},
};

std::string on_one_line(std::string_view text)
{
    std::string line(text);
    for (char& c : line) {
        if (base::is_space(c)) c = ' ';
    }
    return base::printable(line, '_');
}

}  // namespace

std::optional<std::vector<std::string>> split_command(std::string_view line)
{
    if (line.find_first_of(shell_characters) != line.npos) return std::nullopt;
    std::vector<std::string> words;
    for (std::string_view word : base::split_any(line, " \t")) words.emplace_back(word);
    if (words.empty() || std::ranges::find(shell_words, std::string_view(words[0])) != std::end(shell_words))
        return std::nullopt;
    return words;
}

std::vector<std::string> command_arguments(std::string_view line, std::string_view shell)
{
    std::vector<std::string> words;
    if (!shell.empty()) {
        for (std::string_view word : base::split_any(shell, " \t")) words.emplace_back(word);
        words.emplace_back(line);
        return words;
    }
    if (auto direct = split_command(line)) return std::move(*direct);
    return {};
}

std::string mask(std::string_view value, std::string_view filter)
{
    std::string result(value);
    for (char& c : result) {
        if (!filter.contains(c)) c = '_';
    }
    return result;
}

std::string expand_names(std::string_view text, const Environment& values, std::string_view filter)
{
    std::map<std::string, std::string, std::less<>> safe;
    for (const auto& [name, value] : values) {
        std::string shown = filter.empty() ? value : mask(value, filter);
        // What a stranger put into an address is text, not a reference.
        std::string literal;
        for (char c : shown) literal.append(c == '$' ? 2 : 1, c);
        safe[name] = std::move(literal);
    }
    auto lookup = [&safe](std::string_view name) -> std::optional<std::string_view> {
        auto at = safe.find(name);
        if (at == safe.end()) return std::nullopt;
        return std::string_view(at->second);
    };
    return config::expand(text, lookup);
}

Environment exported_environment(const config::Settings& settings)
{
    Environment environment;
    bool has_path = false;
    for (const std::string& entry : settings.list("export_environment")) {
        std::string_view text = entry;
        if (text.starts_with('{') && text.ends_with('}')) text = base::trim(text.substr(1, text.size() - 2));
        if (std::size_t equals = text.find('='); equals != text.npos) {
            environment.emplace_back(base::trim(text.substr(0, equals)), base::trim(text.substr(equals + 1)));
        } else if (text == "MAIL_CONFIG") {
            environment.emplace_back("MAIL_CONFIG", settings.directory());
        } else if (const char* value = std::getenv(std::string(text).c_str())) {
            environment.emplace_back(text, value);
        }
        has_path = has_path || (!environment.empty() && environment.back().first == "PATH");
    }
    if (!has_path) environment.emplace_back("PATH", "/usr/bin:/bin");
    return environment;
}

void add_client(Environment& environment, const mail::Origin& origin, std::string_view filter)
{
    const std::pair<const char*, const std::string*> facts[] = {
        {"CLIENT_ADDRESS", &origin.client_address}, {"CLIENT_HELO", &origin.helo_name},       {"CLIENT_HOSTNAME", &origin.client_name},
        {"CLIENT_PROTOCOL", &origin.protocol},      {"SASL_METHOD", &origin.sasl_method},     {"SASL_SENDER", &origin.sasl_sender},
        {"SASL_USERNAME", &origin.sasl_username},
    };
    for (const auto& [name, value] : facts) {
        if (!value->empty()) environment.emplace_back(name, mask(*value, filter));
    }
}

Outcome command_outcome(const HelperAnswer& answer, std::string_view name, std::string_view program,
                        std::string success)
{
    using Kind = HelperAnswer::Kind;
    std::string output = answer.kind == Kind::failed ? std::string() : answer.text;
    Outcome outcome;
    bool is_exit = answer.kind == Kind::exited;
    if (is_exit && answer.exit_status == 0) {
        outcome.kind = Outcome::Kind::delivered;
        outcome.status = {"2.0.0", std::move(success)};
        // As documented for pipe(8): what a successful command said is logged too.
        output.resize(base::trim_right(output).size());
        if (program == "pipe" && !output.empty()) outcome.status.text += " (" + on_one_line(output) + ")";
        return outcome;
    }
    if (answer.kind == Kind::failed && answer.what == "execvp") {
        outcome.status = {"4.3.0", "temporary failure"};
        output = fmt::format("{}: fatal: {}\n", program, answer.text);
    } else if (answer.kind == Kind::failed && (answer.what == "chdir" || answer.what == "become user")) {
        outcome.status = {"4.3.0", "temporary failure"};
        return outcome;
    } else if (answer.kind == Kind::failed || answer.kind == Kind::done) {
        outcome.status = {"4.3.0", answer.text};
        return outcome;
    } else if (answer.kind == Kind::timed_out) {
        outcome.status = {"5.3.0", fmt::format("Command time limit exceeded: \"{}\"", name)};
    } else if (answer.kind == Kind::killed) {
        outcome.status = {"4.3.0", fmt::format("Command died with signal {}: \"{}\"", answer.exit_status, name)};
    } else {
        auto known = std::ranges::find(exit_statuses, answer.exit_status, &ExitStatus::status);
        if (known != std::end(exit_statuses)) outcome.status = {std::string(known->code), std::string(known->text)};
        else outcome.status = {"5.3.0", fmt::format("Command died with status {}: \"{}\"", answer.exit_status, name)};
        // The command's own word goes before its exit status.
        std::size_t length = mail::enhanced_code_length(output);
        if (length > 0 && (output[0] == '4' || output[0] == '5') &&
            (length == output.size() || base::is_space(output[length]))) {
            outcome.status = {
                output.substr(0, length),
                on_one_line(output.substr(std::min(output.size(), output.find_first_not_of(" \t", length))))};
            output.clear();
        }
    }
    outcome.diagnostic_type = "x-unix";
    const bool is_unknown = is_exit && outcome.status.text.starts_with("Command died with status ");
    outcome.diagnostic_text =
        is_unknown ? fmt::format("unknown mail system error {}", answer.exit_status) : outcome.status.text;
    if (!output.empty()) {
        // What the command said is what it had to say.
        std::string said = on_one_line(output);
        outcome.diagnostic_text = base::trim(said);
        outcome.status.text += ". Command output: " + said;
    }
    outcome.kind = outcome.status.is_temporary() ? Outcome::Kind::deferred : Outcome::Kind::bounced;
    return outcome;
}

Task<Outcome> run_command_for(Helper& helper, const Job& job, HelperRequest request, std::string name,
                              std::string program, std::string success, Logger logger)
{
    request.kind = HelperRequest::Kind::command;
    WallTime started_at = base::wall_now();
    Fd content;
    Outcome outcome;
    if (job.envelope->only_asks()) {
        outcome.kind = Outcome::Kind::delivered;
        outcome.status = {"2.0.0", "delivers to command: " + name};
    } else if (auto attached = co_await attach_content(job.content, request, content); !attached) {
        outcome.status = {"4.3.0", "cannot read the message: " + attached.error().text()};
    } else {
        auto answer = co_await helper.ask(std::move(request), std::move(content));
        if (answer && answer->what == "execvp") logger.fatal("{}", answer->text);
        if (answer && answer->what == "chdir") logger.fatal("cannot change directory: {}", answer->text);
        if (answer && answer->kind == HelperAnswer::Kind::timed_out)
            logger.warning("pipe_command_read: read time limit exceeded");
        if (answer) outcome = command_outcome(*answer, name, program, std::move(success));
        else outcome.status = {"4.3.0", answer.error().text()};
    }
    outcome.connect_started_at = outcome.connected_at = started_at;
    outcome.ended_at = base::wall_now();
    co_return outcome;
}

}  // namespace ekiden::deliver
