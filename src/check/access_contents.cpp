#include "check/access_contents.hpp"

#include "base/text.hpp"
#include "table/source_lines.hpp"
#include "table/table.hpp"

#include <algorithm>
#include <array>

namespace ekiden::check {

namespace {

using MayPermit = std::function<bool(std::string_view)>;

constexpr std::size_t most_kept = 10'000;
constexpr std::array<std::string_view, 5> indexed_types{"btree", "cdb", "hash", "lmdb", "texthash"};
constexpr std::array<std::string_view, 3> rule_types{"cidr", "pcre", "regexp"};
constexpr std::array<std::string_view, 3> written_out_types{"inline", "static", "internal"};

bool is_one_of(std::string_view word, auto& words) { return std::ranges::find(words, word) != std::end(words); }

// Where the pattern of "/pattern/flags answer" ends.
std::size_t end_of_pattern(std::string_view line)
{
    const char delimiter = line.front();
    std::size_t at = 1;
    while (at < line.size() && line[at] != delimiter) at += line[at] == '\\' ? 2 : 1;
    return std::min(line.size(), line.find_first_of(" \t", std::min(line.size(), at + 1)));
}

// "key answer" of one line, or of one rule.
std::pair<std::string_view, std::string_view> split_entry(std::string_view line, bool is_pattern)
{
    line = base::trim(line);
    if (line.starts_with('!') && is_pattern) line.remove_prefix(1);
    const std::size_t end = is_pattern && !line.empty() && !base::is_alnum(line.front())
                                ? end_of_pattern(line)
                                : std::min(line.size(), line.find_first_of(" \t"));
    return {line.substr(0, end), base::trim(line.substr(end))};
}

void add_entry(std::string_view type, std::string_view line, const config::Location& at, AccessContents& contents,
               const MayPermit& may_permit)
{
    const auto [key, value] = split_entry(line, type == "pcre" || type == "regexp");
    if (base::equal_ignoring_case(key, "if") || base::equal_ignoring_case(key, "endif")) return;
    if (!may_permit(value)) return;
    if (++contents.permitting_count <= most_kept)
        contents.permitting.push_back({std::string(key), std::string(value), at});
}

bool read_text(std::string_view type, const std::string& path, AccessContents& contents, const MayPermit& may_permit)
{
    // "pcre:{{/x/ OK}, …}": the rules themselves.
    if (path.starts_with('{') && path.ends_with('}')) {
        for (std::string_view rule : base::split_quoted_braces(std::string_view(path).substr(1, path.size() - 2))) {
            if (rule.starts_with('{') && rule.ends_with('}'))
                add_entry(type, base::trim(rule.substr(1, rule.size() - 2)), {}, contents, may_permit);
        }
        return true;
    }
    const auto source = table::read_source(path);
    if (!source) return false;
    table::SourceLines lines(source->text, path, [](const std::string&) {});
    table::SourceLines::Line line;
    while (lines.next(line)) {
        add_entry(type, line.text, {path, line.number}, contents, may_permit);
    }
    return !lines.error();
}

}  // namespace

AccessContents read_access_contents(std::string_view spec, const std::vector<std::string>& sample_keys,
                                    const MayPermit& may_permit)
{
    AccessContents contents;
    while (spec.starts_with("proxy:")) spec.remove_prefix(6);
    const std::string_view type = spec.substr(0, spec.find(':'));
    const std::string name(spec.substr(std::min(spec.size(), type.size() + 1)));
    const bool has_text = is_one_of(type, indexed_types) || is_one_of(type, rule_types);
    if (!has_text && !is_one_of(type, written_out_types)) {
        contents.is_unknown = true;
        return contents;
    }
    // The text beside an index is what it was made of; without it only the sample keys can be asked.
    if (has_text && !read_text(type, name, contents, may_permit)) contents.is_unknown = true;
    const auto opened = table::open_table(spec);
    if (!opened) return contents;     // answers "try later" to everybody
    for (const std::string& key : sample_keys) {
        const auto answer = (*opened)->lookup(key);
        if (answer && *answer && may_permit(**answer)) contents.for_everybody.push_back({key, **answer, {}});
    }
    return contents;
}

}  // namespace ekiden::check
