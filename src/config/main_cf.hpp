// main.cf as entries, and the logical lines that main.cf and master.cf share. Pure but for read_config_file.
//
// A logical line begins with a line that starts with text and goes on with every following line that starts with a
// blank; empty lines and lines whose first text is `#` are skipped wherever they stand, also between a line and its
// continuation. Bounds: 8 MiB a file, 1 MiB a logical line, 100,000 entries.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::config {

inline constexpr std::size_t max_config_file = 8 * 1024 * 1024;
inline constexpr std::size_t max_logical_line = 1024 * 1024;
inline constexpr std::size_t max_entries = 100'000;

struct LogicalLine {
    std::string text;       // physical lines joined, newlines and the blanks at the end removed, other blanks kept
    int line = 0;           // first physical line, 1-based
    int last_line = 0;      // last physical line that holds text
    bool starts_blank = false;  // a continuation with nothing to continue
    // Where in the text the second physical line begins, the third, and so on, each with its number.
    std::vector<std::pair<std::size_t, int>> continuations = {};

    // The physical line of the byte at `offset` of the text.
    int line_at(std::size_t offset) const;
};

// Throws ConfigError where a bound is passed.
std::vector<LogicalLine> split_logical_lines(std::string_view text, const std::string& path);

struct MainEntry {
    std::string name;
    std::string value;  // unexpanded, trimmed
    int line = 0;
};

struct MainFile {
    std::vector<MainEntry> entries;  // in file order, repeated names included
    std::vector<Problem> problems;   // lines that start with blanks, overriding entries
};

// Throws ConfigError: "PATH, line N: missing '=' after attribute name: …".
MainFile parse_main_cf(std::string_view text, const std::string& path);

// The whole file, or ConfigError "open PATH: No such file or directory".
std::string read_config_file(const std::string& path);

}  // namespace ekiden::config
