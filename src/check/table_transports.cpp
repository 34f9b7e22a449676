#include "check/table_transports.hpp"

#include "base/text.hpp"
#include "check/list_words.hpp"
#include "config/source.hpp"
#include "table/entry_grammar.hpp"
#include "table/source_lines.hpp"
#include "table/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace ekiden::check {

namespace {

constexpr std::array<std::string_view, 6> transport_tables{"transport_maps",
                                                           "mailbox_transport_maps",
                                                           "fallback_transport_maps",
                                                           "sender_dependent_default_transport_maps",
                                                           "address_verify_transport_maps",
                                                           "address_verify_sender_dependent_default_transport_maps"};
constexpr std::array<std::string_view, 6> indexed_types{"btree", "cdb", "dbm", "hash", "lmdb", "texthash"};
constexpr std::size_t most_lines = 1'000'000; // of one table
constexpr int deepest = 8;                    // tables in tables

// What stands behind the pattern (or patterns) of a regexp or pcre rule; empty: none.
std::string_view result_of_rule(std::string_view line)
{
    do {
        if (line.starts_with('!')) line.remove_prefix(1);
        if (line.empty() || base::is_alnum(line.front())) return {}; // if, endif
        const char delimiter = line.front();
        std::size_t end = 1;
        while (end < line.size() && line[end] != delimiter) end += line[end] == '\\' ? 2 : 1;
        if (end >= line.size()) return {};
        line.remove_prefix(end + 1);
        while (!line.empty() && base::is_alpha(line.front())) line.remove_prefix(1);
    } while (line.starts_with('!'));
    return base::trim(line);
}

// "192.0.2.0/24 result"
std::string_view second_word_on(std::string_view line)
{
    line = base::trim(line);
    const auto blank = line.find_first_of(" \t");
    if (blank == line.npos || line.starts_with("if ") || line.starts_with("if\t")) return {};
    return base::trim(line.substr(blank));
}

class Finder {
public:
    explicit Finder(const config::Settings& settings) : settings_(settings), lists_(settings) {}

    std::vector<config::Problem> run()
    {
        if (settings_.services().empty()) return {};
        for (const std::string& name : settings_.names_set())
            look_at(name, settings_.str(name), settings_.location(name));
        for (const auto& service : settings_.services())
            for (const auto& [name, value] : service.overrides)
                look_at(name, settings_.expand(value), {service.file, service.line});
        return std::move(problems_);
    }

private:
    void look_at(const std::string& parameter, std::string_view value, const config::Location& at, int depth = 0)
    {
        names_transport_ = std::ranges::find(transport_tables, parameter) != transport_tables.end();
        if (at.line == 0 || (!names_transport_ && !lists_.may_hold_tables(parameter))) return;
        for (std::string_view word : base::split_quoted_braces(value)) {
            if (word.starts_with('#')) return;
            while (word.starts_with("proxy:")) word.remove_prefix(6);
            const auto type = word.substr(0, word.find(':'));
            const std::size_t brace = word.find('{');
            if (type == "unionmap" || brace == 0) {
                if (brace == word.npos || !word.ends_with('}') || depth >= deepest) continue;
                look_at(parameter, word.substr(brace + 1, word.size() - brace - 2), at, depth + 1);
            } else if (type.size() < word.size() && seen_.emplace(parameter, word).second) {
                read_table(parameter, word, type, word.substr(type.size() + 1), at);
            }
        }
    }

    void read_table(const std::string& parameter, std::string_view word, std::string_view type, std::string_view path,
                    const config::Location& at)
    {
        const bool is_indexed = std::ranges::find(indexed_types, type) != indexed_types.end();
        const bool has_rules = type == "regexp" || type == "pcre", is_cidr = type == "cidr";
        if ((is_indexed || has_rules || is_cidr) && path.starts_with('/')) {
            if (const auto source = table::read_lookup_source(std::string(path))) {
                table::SourceLines lines(source->text, std::string(path), [](const std::string&) {});
                table::SourceLines::Line line;
                for (std::size_t count = 0; count < most_lines && lines.next(line); ++count) {
                    const config::Location here{std::string(path), line.number};
                    if (has_rules)
                        look_at_value(parameter, result_of_rule(line.text), here);
                    else if (is_cidr)
                        look_at_value(parameter, second_word_on(line.text), here);
                    else if (const auto entry = table::parse_map_entry(line.text))
                        look_at_value(parameter, entry->value, here);
                }
                return;
            }
        }
        // The text is not there, or stands in main.cf: what the table itself can list.
        if (!is_indexed && type != "inline" && type != "static") return;
        if (type == "static") return look_at_value(parameter, path, source_.find(at, word));
        const auto opened = table::open_table(word);
        if (!opened) return; // table_problems says so
        const auto entries = (*opened)->list();
        if (!entries) return;
        const auto place = is_indexed ? config::Location{std::string(path), 0} : source_.find(at, word);
        for (const auto& [key, value] : *entries) look_at_value(parameter, value, place);
    }

    // "transport:nexthop", or behind FILTER in other tables. "DUNNO" and ":nexthop" name no transport, "$1:" one that
    // nobody knows before.
    void look_at_value(const std::string& parameter, std::string_view value, const config::Location& at)
    {
        constexpr std::string_view filter = "FILTER";
        if (!names_transport_) {
            if (value.size() <= filter.size() || !base::is_space(value[filter.size()]) ||
                !base::equal_ignoring_case(value.substr(0, filter.size()), filter))
                return;
            value = base::trim(value.substr(filter.size()));
        } else if (base::equal_ignoring_case(value, "DUNNO")) {
            return;
        }
        const auto name = value.substr(0, value.find(':'));
        if (name.empty() || name.find_first_of(" \t$") != name.npos) return;
        int distance = 2; // names are short: two edits make smtp of lmtp
        std::string_view best;
        for (const auto& service : settings_.services()) {
            if (service.type == "inet") continue;
            if (service.name == name) return;
            const int edits = base::edit_distance(name, service.name, distance);
            if (edits < distance) distance = edits, best = service.name;
        }
        if (!missing_.emplace(at.file, name).second) return;
        problems_.push_back(config::make_problem(
            config::Problem::Level::warning, at,
            fmt::format("{} names the transport \"{}\", which master.cf does not have, so this mail waits", parameter,
                        base::printable(name)),
            parameter, best.empty() ? "add a line for it to master.cf" : fmt::format("is {} meant?", best)));
    }

    const config::Settings& settings_;
    ListWords lists_;
    config::Source source_;
    bool names_transport_ = false;
    std::set<std::pair<std::string, std::string>, std::less<>> seen_, missing_;
    std::vector<config::Problem> problems_;
};

} // namespace

std::vector<config::Problem> find_table_transports(const config::Settings& settings)
{
    return Finder(settings).run();
}

} // namespace ekiden::check
