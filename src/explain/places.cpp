#include "explain/places.hpp"

#include "base/text.hpp"
#include "config/main_cf.hpp"

#include <fmt/format.h>

namespace ekiden::explain {

namespace {

bool is_name_char(char c) { return base::is_alnum(c) || c == '_' || c == '-' || c == '.'; }

// As a word of its own: "permit" does not stand in "permit_mynetworks".
bool has_word(std::string_view line, std::string_view word)
{
    for (std::size_t at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
        const bool begins = at == 0 || !is_name_char(line[at - 1]);
        const bool ends = at + word.size() == line.size() || !is_name_char(line[at + word.size()]);
        if (begins && ends) return true;
    }
    return false;
}

// Words are told as the settings know them: "hash:${config_directory}/x" is written, "hash:/etc/postfix/x" is looked for.
std::string expanded(const config::Settings& settings, const std::string& line)
{
    if (!line.contains('$')) return line;
    try {
        return settings.expand(line);
    } catch (const config::ConfigError&) {
        return line;
    }
}

bool is_comment(std::string_view line)
{
    const std::string_view text = base::trim(line);
    return text.empty() || text.starts_with('#');
}

}  // namespace

std::string Place::text() const
{
    if (file.empty()) return "default";
    return fmt::format("{} line {}{}", file.substr(file.rfind('/') + 1), line, is_of_service ? " (-o)" : "");
}

const std::vector<std::string>& Places::lines_of(const std::string& file)
{
    const auto [at, is_new] = files_.try_emplace(file);
    if (!is_new) return at->second;
    try {
        const std::string text = config::read_config_file(file);
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = std::min(text.find('\n', begin), text.size());
            at->second.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
    } catch (const config::ConfigError&) {
        // It changed under us: the line that the settings know is still the best answer.
    }
    return at->second;
}

Place Places::find(std::string_view parameter, std::string_view word)
{
    const config::Location at = settings_->location(parameter);
    if (at.file.empty() || at.line <= 0) return {};
    Place place{at.file, at.line, at.file.ends_with("master.cf")};
    const auto& lines = lines_of(at.file);
    const std::size_t first = static_cast<std::size_t>(at.line) - 1;
    bool has_name = !place.is_of_service;    // in master.cf the entry's own line is looked for
    for (std::size_t i = first; i < lines.size(); ++i) {
        const std::string& line = lines[i];
        const bool goes_on = i == first || is_comment(line) || base::is_space(line.front());
        if (!goes_on) break;
        if (is_comment(line)) continue;
        if (!has_name && has_word(line, parameter)) {
            has_name = true;
            place.line = static_cast<int>(i) + 1;
        }
        if (has_name && word.empty()) break;
        if (has_name && (has_word(line, word) || has_word(expanded(*settings_, line), word))) {
            place.line = static_cast<int>(i) + 1;
            break;
        }
    }
    return place;
}

}  // namespace ekiden::explain
