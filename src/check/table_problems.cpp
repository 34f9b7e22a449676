#include "check/table_problems.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"
#include "check/list_words.hpp"
#include "check/written_values.hpp"
#include "config/source.hpp"
#include "table/open_and_hear.hpp"
#include "table/source_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ranges>
#include <set>

#include <sys/stat.h>

namespace ekiden::check {

namespace {

struct FileType {
    std::string_view name, suffix;
};
constexpr std::array file_types{
    FileType{"btree", ".db"},  FileType{"hash", ".db"}, FileType{"cdb", ".cdb"},
    FileType{"lmdb", ".lmdb"}, FileType{"cidr", ""},    FileType{"pcre", ""},
    FileType{"regexp", ""},    FileType{"sqlite", ""},  FileType{"texthash", ""},
};
// A source that was changed just now is probably about to be compiled.
constexpr std::time_t grace_seconds = 100;

class Finder {
public:
    explicit Finder(const config::Settings& settings) : settings_(settings), lists_(settings) {}

    std::vector<config::Problem> run()
    {
        for (const WrittenValue& written : written_values(settings_))
            if (lists_.may_hold_tables(written.parameter)) look_at(written.parameter, written.value, written.at);
        find_doubles();
        return std::move(problems_);
    }

private:
    void add(const config::Location& at, std::string_view parameter, std::string_view text, std::string_view advice)
    {
        problems_.push_back(config::make_problem(config::Problem::Level::warning, at, text, parameter, advice));
    }

    void look_at(const std::string& parameter, std::string_view value, const config::Location& at, int depth = 0)
    {
        constexpr int deepest = 8;
        for (std::string_view word : base::split_quoted_braces(value)) {
            if (word.starts_with('#')) return;
            while (word.starts_with('!')) word.remove_prefix(1);
            while (word.starts_with("proxy:")) word.remove_prefix(6);
            const std::size_t brace = word.find('{');
            // unionmap:{hash:/x, hash:/y}, { check_client_access hash:/x }
            if (brace != word.npos && word.ends_with('}') && depth < deepest) {
                const std::string_view type = word.substr(0, word.find(':'));
                if (brace == 0 || type == "unionmap" || type == "pipemap")
                    look_at(parameter, word.substr(brace + 1, word.size() - brace - 2), at, depth + 1);
                continue;
            }
            const std::size_t colon = word.find(':');
            if (colon == word.npos) continue;
            const auto type = std::ranges::find(file_types, word.substr(0, colon), &FileType::name);
            const std::string path(word.substr(colon + 1));
            if (type == file_types.end() || !path.starts_with('/')) continue;
            if (seen_.insert(std::string(word)).second)
                check_table(parameter, std::string(word), *type, path, source_.find(at, word));
        }
    }

    void check_table(const std::string& parameter, const std::string& spec, const FileType& type,
                     const std::string& path, const config::Location& at)
    {
        const bool is_alias = parameter == "alias_maps" || parameter == "alias_database";
        const std::string command = fmt::format("{} {}", is_alias ? "postalias" : "postmap", spec);
        const std::string file = path + std::string(type.suffix);
        struct stat text{}, index{};
        const bool has_text = ::stat(path.c_str(), &text) == 0;
        const bool has_file = ::stat(file.c_str(), &index) == 0;
        if (!has_file && errno == ENOENT) {
            const std::string advice = type.suffix.empty() ? fmt::format("write {}, or remove {} here", path, spec)
                                       : has_text          ? command
                                                           : fmt::format("write {}, then {}", path, command);
            return add(at, parameter,
                       fmt::format("{}: there is no {}, so whatever needs this table waits", parameter, file), advice);
        }
        std::vector<std::string> warnings;
        const auto opened = table::open_and_hear(spec, warnings);
        report_lines(parameter, path, std::move(warnings));
        if (!opened)
            return add(at, parameter, fmt::format("{}: {}", parameter, opened.error().text()),
                       "whatever needs this table waits");
        if (!type.suffix.empty() && has_text && text.st_mtime > index.st_mtime &&
            text.st_mtime < base::to_seconds(base::wall_now()) - grace_seconds)
            add(at, parameter,
                fmt::format("{}: {} is older than {}, so what was changed there is not in force", parameter, file,
                            path),
                command);
        for (const auto& [name, status, exists] :
             {std::tuple{path, &text, has_text}, std::tuple{file, &index, has_file}}) {
            if (!exists || !(status->st_mode & S_IWOTH) || !writable_.insert(name).second) continue;
            add(at, parameter, fmt::format("{}: everybody on this machine can write {}", parameter, name),
                fmt::format("chmod o-w {}", name));
        }
    }

    // "pcre map /x, line 3: error in regex …": the place is where that line is.
    void report_lines(const std::string& parameter, const std::string& path, std::vector<std::string> warnings)
    {
        constexpr std::size_t most = 10;
        constexpr std::string_view mark = ", line ";
        std::erase_if(warnings, [&](const std::string& warning) { return !warning.contains(mark); });
        for (const std::string& warning : warnings | std::views::take(most)) {
            std::string_view number = warning;
            number.remove_prefix(number.find(mark) + mark.size());
            number = number.substr(0, number.find_first_not_of("0123456789"));
            problems_.push_back(config::make_problem(config::Problem::Level::warning, {},
                                                     fmt::format("{}: {}", parameter, warning), parameter,
                                                     "the line is passed over until it is mended"));
            problems_.back().at = {path, base::parse_number<int>(number).value_or(0)};
        }
        if (warnings.size() > most)
            add({path, 0}, parameter, fmt::format("{}: {} more such lines", parameter, warnings.size() - most), "");
    }

    // What find_doubles of the lists' own names cannot see: domains in tables.
    void find_doubles()
    {
        for (const std::string_view parameter : {"virtual_alias_domains", "virtual_mailbox_domains"}) {
            for (const std::string& word : settings_.list(parameter)) {
                std::string_view spec = word;
                while (spec.starts_with("proxy:")) spec.remove_prefix(6);
                const auto type = std::ranges::find(file_types, spec.substr(0, spec.find(':')), &FileType::name);
                // A catch-all pattern of virtual_alias_maps is about addresses.
                if (type == file_types.end() || type->name == "pcre" || type->name == "regexp") continue;
                const auto opened = table::open_table(spec);
                if (!opened) continue;
                for (const std::string& domain : settings_.list("mydestination")) {
                    if (domain.find_first_of(":/!{[#") != std::string::npos) continue;
                    const auto answer = (*opened)->lookup(base::lower(domain));
                    if (!answer || !*answer) continue;
                    add(source_.find(settings_.location("mydestination"), domain), "mydestination",
                        fmt::format("do not list domain {} in BOTH mydestination and {} ({})", domain, parameter, word),
                        "mydestination decides, so remove it from one of them");
                }
            }
        }
    }

    const config::Settings& settings_;
    ListWords lists_;
    config::Source source_;
    std::set<std::string> seen_, writable_;
    std::vector<config::Problem> problems_;
};

}  // namespace

std::vector<config::Problem> find_table_problems(const config::Settings& settings) { return Finder(settings).run(); }

}  // namespace ekiden::check
