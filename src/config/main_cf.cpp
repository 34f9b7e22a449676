#include "config/main_cf.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace ekiden::config {

int LogicalLine::line_at(std::size_t offset) const
{
    const auto behind =
        std::ranges::upper_bound(continuations, offset, {}, &std::pair<std::size_t, int>::first);
    return behind == continuations.begin() ? line : std::prev(behind)->second;
}

std::vector<LogicalLine> split_logical_lines(std::string_view text, const std::string& path)
{
    std::vector<LogicalLine> lines;
    int number = 0;
    while (!text.empty()) {
        ++number;
        const auto newline = text.find('\n');
        auto line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        // An embedded zero byte would end the line for every C program that reads the file.
        line = line.substr(0, line.find('\0'));
        const auto body = base::trim(line);
        if (body.empty() || body.front() == '#') continue;
        if (base::is_space(line.front()) && !lines.empty()) {
            auto& last = lines.back();
            last.continuations.emplace_back(last.text.size(), number);
            last.text += line;
            last.last_line = number;
        } else {
            if (lines.size() >= max_entries)
                throw ConfigError(fmt::format("{}, line {}: more than {} entries", path, number, max_entries),
                                  {path, number});
            lines.push_back({std::string(line), number, number, base::is_space(line.front())});
        }
        if (lines.back().text.size() > max_logical_line)
            throw ConfigError(fmt::format("{}, line {}: logical line is longer than {} bytes", path, lines.back().line,
                                          max_logical_line),
                              {path, lines.back().line});
    }
    for (auto& line : lines) line.text.resize(base::trim_right(line.text).size());
    return lines;
}

MainFile parse_main_cf(std::string_view text, const std::string& path)
{
    MainFile file;
    std::unordered_map<std::string_view, std::string_view> seen;
    const auto lines = split_logical_lines(text, path);
    file.entries.reserve(lines.size());
    for (const auto& line : lines) {
        if (line.starts_blank) {
            file.problems.push_back({Problem::Level::warning,
                                     {path, line.line},
                                     fmt::format("{}: logical line must not start with whitespace: \"{}\"", path,
                                                 line.text.substr(0, 100))});
            continue;
        }
        std::string error;
        const auto pair = split_name_value(line.text, error);
        if (!pair) throw ConfigError(fmt::format("{}, line {}: {}", path, line.line, error), {path, line.line});
        const auto [position, is_new] = seen.try_emplace(pair->name, pair->value);
        if (!is_new) {
            if (position->second != pair->value)
                file.problems.push_back({Problem::Level::warning,
                                         {path, line.line},
                                         fmt::format("{}, line {}: overriding earlier entry: {}={}", path, line.line,
                                                     pair->name, position->second)});
            position->second = pair->value;
        }
        file.entries.push_back({std::string(pair->name), std::string(pair->value), line.line});
    }
    return file;
}

std::string read_config_file(const std::string& path)
{
    auto content = base::read_file(path, max_config_file);
    if (content) return std::move(*content);
    const auto& error = content.error();
    if (error.is(ErrorCode::too_long))
        throw ConfigError(fmt::format("{}: file is larger than {} bytes", path, max_config_file), {path, 0});
    throw ConfigError(error.text(), {path, 0});
}

}  // namespace ekiden::config
