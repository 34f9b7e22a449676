#include "config/source.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/main_cf.hpp"

namespace ekiden::config {

namespace {

bool is_part_of_word(char c)
{
    return base::is_alnum(c) || c == '_' || c == '-' || c == '.' || c == '/' || static_cast<unsigned char>(c) >= 0x80;
}

// How often the word stands in the line by itself.
int count_words(std::string_view line, std::string_view word)
{
    int count = 0;
    for (auto at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
        const bool begins = at == 0 || !is_part_of_word(line[at - 1]) || !is_part_of_word(word.front());
        const std::size_t end = at + word.size();
        const bool ends = end == line.size() || !is_part_of_word(line[end]) || !is_part_of_word(word.back());
        if (begins && ends) ++count;
    }
    return count;
}

}  // namespace

const std::vector<std::string>& Source::lines(const std::string& path)
{
    const auto [position, is_new] = files_.try_emplace(path);
    if (!is_new) return position->second;
    const auto text = base::read_file(path, max_config_file);
    if (!text) return position->second;
    for (const auto line : base::split(*text, '\n')) position->second.emplace_back(line);
    // What follows the last newline is no line.
    if (!position->second.empty() && position->second.back().empty()) position->second.pop_back();
    return position->second;
}

Location Source::find(const Location& start, std::string_view word, int nth)
{
    if (start.line <= 0 || word.empty()) return start;
    const auto& all = lines(start.file);
    for (std::size_t i = static_cast<std::size_t>(start.line) - 1; i < all.size(); ++i) {
        const auto body = base::trim(all[i]);
        if (body.empty() || body.front() == '#') continue;
        const bool is_first = i + 1 == static_cast<std::size_t>(start.line);
        if (!is_first && !base::is_space(all[i].front())) break;
        // The name of the parameter itself is not looked at.
        std::string_view text = all[i];
        if (is_first && start.file.ends_with("main.cf")) text = text.substr(std::min(text.size(), text.find('=')));
        nth -= count_words(text, word);
        if (nth < 0) return {start.file, static_cast<int>(i) + 1};
    }
    return start;
}

}  // namespace ekiden::config
