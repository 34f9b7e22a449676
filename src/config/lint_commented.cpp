#include "base/text.hpp"
#include "config/lint_services.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

namespace {

struct Entry {
    std::string name, type;
    int line = 0;
};

bool is_flag(std::string_view word)
{
    return word == "-" || word == "y" || word == "n";
}

bool is_count(std::string_view word)
{
    if (word.ends_with('?')) word.remove_suffix(1);
    return word == "-" || (!word.empty() && std::ranges::all_of(word, base::is_digit));
}

// A line of master.cf, or the text of a comment that was one: the last of the eight words may be missing.
std::optional<Entry> read_entry(std::string_view text, int line)
{
    static constexpr Words types{"inet", "unix", "unix-dgram", "fifo", "pass"};
    const auto words = base::split_any(text, " \t\r\f\v");
    if (words.size() < 7 || std::ranges::find(types, words[1]) == types.end()) return std::nullopt;
    if (!is_flag(words[2]) || !is_flag(words[3]) || !is_flag(words[4]) || !is_count(words[5]) || !is_count(words[6]))
        return std::nullopt;
    return Entry{std::string(words[0]), std::string(words[1]), line};
}

// The port, by its number where it is one of mail's: "127.0.0.1:smtp" and "25" are the same one.
std::string_view port_of(const Entry& entry)
{
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> numbers{
        {{"smtp", "25"}, {"smtps", "465"}, {"submissions", "465"}, {"submission", "587"}}};
    std::string_view name = entry.name;
    name.remove_prefix(name.rfind(':') + 1);    // none: npos + 1 is 0
    const auto found = std::ranges::find(numbers, name, &decltype(numbers)::value_type::first);
    return found == numbers.end() ? name : found->second;
}

// One that stands below its own line is an older form of it, and what follows is meant for both.
bool is_same(const Entry& one, const Entry& other)
{
    return one.type == other.type && port_of(one) == port_of(other);
}

// "-o name=value" of a line of arguments, as it begins; "" for other arguments.
std::string_view first_override(std::string_view text)
{
    if (!text.starts_with("-o")) return {};
    text = text.substr(0, text.find_first_of("\r\n"));
    if (const auto next = text.find(" -o", 2); next != text.npos) text = text.substr(0, next);
    return base::trim(text).substr(0, 100);
}

}  // namespace

std::vector<Problem> lint_commented(const Settings& settings)
{
    if (settings.services().empty()) return {};
    std::vector<Problem> problems;
    const std::string path = settings.services().front().file;
    std::optional<Entry> above, commented;
    Source source;
    int number = 0;
    for (const std::string& line : source.lines(path)) {
        ++number;
        auto body = base::trim(std::string_view(line).substr(0, line.find('\0')));
        if (body.empty()) continue;
        if (body.front() == '#') {
            body.remove_prefix(std::min(body.size(), body.find_first_not_of('#')));
            body = base::trim(body);
            // Part of the same comment: some of its lines may have been left out, or taken back in.
            if (commented && body.starts_with("-o")) continue;
            commented = read_entry(body, number);
            continue;
        }
        const auto was_above = std::exchange(commented, std::nullopt);
        if (!base::is_space(line.front())) {
            above = read_entry(body, number);
            continue;
        }
        const auto entry = first_override(body);
        if (entry.empty() || !above || !was_above || is_same(*above, *was_above)) continue;
        problems.push_back(make_problem(
            Problem::Level::warning, {path, number},
            fmt::format("{} belongs to service {} {} in line {}, for line {}, {} {}, is a comment", entry, above->name,
                        above->type, above->line, was_above->line, was_above->name, was_above->type),
            {},
            fmt::format("write # in front of this line and of those behind it that go with line {}, or take it away "
                        "from that one",
                        was_above->line)));
    }
    return problems;
}

}  // namespace ekiden::config
