#include "table/written_entries.hpp"

#include "base/privileged_read.hpp"
#include "base/text.hpp"
#include "table/entry_grammar.hpp"
#include "table/index_file.hpp"
#include "table/source_lines.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>

namespace ekiden::table {

namespace {

constexpr int deepest = 8; // tables in tables
constexpr int lock_patience_ms = 2000;

using Parts = std::pair<std::string_view, std::string_view>;

// "/pattern/flags value", "!/pattern/ value", "/this/!/not that/ value".
std::optional<Parts> split_rule(std::string_view line)
{
    line = base::trim(line);
    std::string_view rest = line;
    do {
        while (rest.starts_with('!')) rest = base::trim(rest.substr(1));
        if (rest.empty() || base::is_alnum(rest.front())) return std::nullopt; // if, endif
        const char delimiter = rest.front();
        std::size_t end = 1;
        while (end < rest.size() && rest[end] != delimiter) end += rest[end] == '\\' ? 2 : 1;
        if (end >= rest.size()) return std::nullopt;
        rest.remove_prefix(end + 1);
        rest.remove_prefix(std::min(rest.size(), rest.find_first_of(" \t\r\n\v\f!")));
    } while (rest.starts_with('!'));
    return Parts{line.substr(0, line.size() - rest.size()), base::trim(rest)};
}

// "192.0.2.0/24 value"
std::optional<Parts> split_network(std::string_view line)
{
    line = base::trim(line);
    std::size_t begin = line.find_first_not_of("! \t");
    if (begin == line.npos) return std::nullopt;
    const std::size_t end = std::min(line.size(), line.find_first_of(" \t", begin));
    const std::string_view network = line.substr(begin, end - begin);
    if (base::equal_ignoring_case(network, "if") || base::equal_ignoring_case(network, "endif")) return std::nullopt;
    return Parts{line.substr(0, end), base::trim(line.substr(end))};
}

// $1, ${1}, $(1); "$$" is a dollar sign.
bool has_groups(std::string_view value)
{
    for (std::size_t at = value.find('$'); at != value.npos; at = value.find('$', at)) {
        if (++at >= value.size()) return false;
        if (value[at] != '$') return true;
        ++at;
    }
    return false;
}

std::optional<std::string_view> inside_braces(std::string_view text)
{
    text = base::trim(text);
    if (text.size() < 2 || !text.starts_with('{') || !text.ends_with('}')) return std::nullopt;
    return base::trim(text.substr(1, text.size() - 2));
}

class Reader {
public:
    Reader(const std::function<void(const WrittenEntry&)>& visit, const EntryBounds& bounds)
        : visit_(visit), bounds_(bounds)
    {
    }

    bool read(std::string_view spec, int depth = 0)
    {
        while (spec.starts_with("proxy:")) spec.remove_prefix(6);
        const std::size_t colon = spec.find(':');
        if (colon == spec.npos || depth >= deepest) return false;
        const std::string_view type = spec.substr(0, colon), name = spec.substr(colon + 1);
        if (type == "debug") return read(name, depth + 1);
        if (type == "unionmap" || type == "pipemap") return read_members(type, name, depth);
        if (type == "static") return add({{}, inside_braces(name).value_or(name), {}, 0});
        if (type == "randmap") {
            const auto inside = inside_braces(name);
            if (inside)
                for (const std::string_view value : base::split_quoted_braces(*inside))
                    add({{}, inside_braces(value).value_or(value), {}, 0});
            return inside && is_whole_;
        }
        if (type == "inline") return read_inline(name);
        if (type == "internal" || type == "fail") return true;
        const bool has_rules = type == "regexp" || type == "pcre";
        if (has_rules || type == "cidr") {
            if (const auto inside = inside_braces(name)) return read_rules(*inside, has_rules);
            return read_text(std::string(name), has_rules ? split_rule : split_network, has_rules).value_or(false);
        }
        const IndexFormat* const format = find_index_format(type);
        if (!format && type != "texthash") return false;
        const auto read = read_text(std::string(name), nullptr, false);
        return read ? *read : format && read_index(*format, std::string(name));
    }

private:
    using Split = std::optional<Parts> (*)(std::string_view);

    bool add(const WrittenEntry& entry)
    {
        if (count_ >= bounds_.entries) return is_whole_ = false;
        ++count_;
        visit_(entry);
        return true;
    }

    bool read_members(std::string_view type, std::string_view name, int depth)
    {
        const auto inside = inside_braces(name);
        if (!inside) return false;
        auto members = base::split_quoted_braces(*inside);
        // The last one says what comes of it.
        if (type == "pipemap" && members.size() > 1) members = {members.back()};
        bool is_whole = true;
        for (const std::string_view member : members)
            is_whole = read(inside_braces(member).value_or(member), depth + 1) && is_whole;
        return is_whole;
    }

    bool read_inline(std::string_view name)
    {
        const auto inside = inside_braces(name);
        if (!inside) return false;
        for (const std::string_view member : base::split_quoted_braces(*inside)) {
            const std::string_view pair = inside_braces(member).value_or(member);
            const std::size_t equals = pair.find('=');
            if (equals == pair.npos) return false;
            if (!add({base::trim(pair.substr(0, equals)), base::trim(pair.substr(equals + 1)), {}, 0})) return false;
        }
        return true;
    }

    // pcre:{{/x/ OK}, …}: the rules themselves.
    bool read_rules(std::string_view inside, bool has_patterns)
    {
        for (const std::string_view rule : base::split_quoted_braces(inside)) {
            const auto text = inside_braces(rule);
            const auto parts = text ? (has_patterns ? split_rule(*text) : split_network(*text)) : std::nullopt;
            if (parts && !add({parts->first, parts->second, {}, 0, has_patterns && has_groups(parts->second)}))
                return false;
        }
        return true;
    }

    // Nothing: there is no such text.
    std::optional<bool> read_text(const std::string& path, Split split, bool has_patterns)
    {
        if (!path.starts_with('/')) return std::nullopt;
        {
            const base::PrivilegedRead guard;
            if (const auto stamp = FileStamp::of(path); stamp && stamp->size() > bounds_.bytes) return false;
        }
        const auto source = read_lookup_source(path);
        if (!source) return std::nullopt;
        SourceLines lines(source->text, path, [](const std::string&) {});
        for (SourceLines::Line line; lines.next(line);) {
            if (split) {
                const auto parts = split(line.text);
                if (parts &&
                    !add({parts->first, parts->second, path, line.number, has_patterns && has_groups(parts->second)}))
                    return false;
            } else if (const auto entry = parse_map_entry(line.text)) {
                if (!add({entry->key, entry->value, path, line.number})) return false;
            }
        }
        return !lines.error();
    }

    bool read_index(const IndexFormat& format, const std::string& name)
    {
        const std::string path = name + std::string(format.suffix);
        Fd file;
        {
            const base::PrivilegedRead guard;
            file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        }
        struct stat status{};
        if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
        const auto size = static_cast<std::uint64_t>(status.st_size);
        if (size > bounds_.bytes || !lock_index_file(file.get(), format, false, lock_patience_ms)) return false;
        auto index = open_index_file(format, path, IndexFile::Mode::read);
        if (!index) return false;
        const auto without_nul = [](std::string_view record) {
            return record.ends_with('\0') ? record.substr(0, record.size() - 1) : record;
        };
        std::uint64_t bytes = 0;
        bool is_sound = true;
        const auto done = (*index)->for_each([&](std::string_view key, std::string_view value) {
            // A damaged file must not make us read for ever.
            bytes += key.size() + value.size();
            is_sound = bytes <= size * 2 + 4096;
            return is_sound && add({without_nul(key), without_nul(value), path, 0});
        });
        return done && is_sound && is_whole_;
    }

    const std::function<void(const WrittenEntry&)>& visit_;
    const EntryBounds& bounds_;
    std::size_t count_ = 0;
    bool is_whole_ = true;
};

} // namespace

bool for_each_written_entry(std::string_view spec, const std::function<void(const WrittenEntry&)>& visit,
                            const EntryBounds& bounds)
{
    return Reader(visit, bounds).read(spec);
}

} // namespace ekiden::table
