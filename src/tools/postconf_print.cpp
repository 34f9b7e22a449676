#include "tools/postconf.hpp"

#include "base/text.hpp"
#include "config/values.hpp"
#include "base/json_text.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace ekiden::tools::postconf {

namespace {

constexpr std::size_t line_limit = 79;
constexpr std::string_view indent = "\n    ";

// Columns of a service line; a name too long for its own takes blanks from the next (as the captures show).
std::string columns(const config::ServiceSpec& service)
{
    const std::string_view fields[] = {
        service.name,         service.type,   service.private_field, service.unprivileged_field,
        service.chroot_field, service.wakeup, service.max_processes, service.command};
    constexpr std::size_t starts[] = {0, 11, 17, 25, 33, 41, 49, 57};
    std::string line;
    for (std::size_t i = 0; i < std::size(fields); ++i) {
        if (i > 0) line += ' ';
        if (line.size() < starts[i]) line.append(starts[i] - line.size(), ' ');
        line += fields[i];
    }
    return line;
}

bool is_option(std::string_view word) { return word.size() > 1 && word.front() == '-'; }

}  // namespace

void warn(const Options& options, std::string_view text)
{
    if (options.is_quiet) return;
    std::fflush(stdout);
    // As postconf says it, who knows no alphabet but ASCII.
    std::string safe(text);
    for (char& c : safe)
        if (!base::is_print(c)) c = '?';
    fmt::print(stderr, "{}: warning: {}\n", options.program, safe);
}

std::string fill_line(std::string text, const std::vector<std::string_view>& words)
{
    std::size_t column = text.size() - (text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
    for (const auto word : words) {
        if (column > 0 && column + 1 + word.size() > line_limit) {
            text += indent;
            column = indent.size() - 1;
        } else if (column > 0) {
            text += ' ';
            ++column;
        }
        text += word;
        column += word.size();
    }
    return text;
}

void print_entry(const Options& options, const std::string& name, std::string_view value)
{
    if (options.hides_values) {
        fmt::print("{}\n", name);
        return;
    }
    const auto words = base::split_any(value, " \t\r\n\f\v");
    if (options.is_json) {
        fmt::print("{{{}: {}}}\n", base::json_text(name), base::json_text(fmt::format("{}", fmt::join(words, " "))));
        return;
    }
    if (options.folds) {
        fmt::print("{}\n", fill_line(options.hides_names ? "" : name + " =", words));
        return;
    }
    const auto text = fmt::format("{}", fmt::join(words, " "));
    if (options.hides_names)
        fmt::print("{}\n", text);
    else
        fmt::print("{} ={}{}\n", name, text.empty() ? "" : " ", text);
}

std::string format_service(const config::ServiceSpec& service, bool folds)
{
    std::string text = columns(service);
    const auto& words = service.raw_arguments;
    if (!folds) {
        for (const auto& word : words) text.append(" ").append(word);
        return text;
    }
    // Options come first: each -o starts a line and takes its value with it; other words fill lines, and of them the
    // first after an -o starts one too.
    bool are_options = true;
    bool is_after_value = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        are_options = are_options && is_option(words[i]);
        if (are_options && words[i] == "-o") {
            text.append(indent).append(words[i]);
            if (i + 1 < words.size()) text.append(" ").append(words[++i]);
            is_after_value = true;
        } else if (is_after_value) {
            text.append(indent).append(words[i]);
            is_after_value = false;
        } else {
            text = fill_line(std::move(text), {words[i]});
        }
    }
    return text;
}

}  // namespace ekiden::tools::postconf
