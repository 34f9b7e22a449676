#include "check/table_actions.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "check/access_actions.hpp"
#include "check/list_words.hpp"
#include "check/rules.hpp"
#include "check/written_values.hpp"
#include "config/lint_parts.hpp"
#include "config/source.hpp"
#include "rewrite/content_rules.hpp"
#include "table/written_entries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

namespace ekiden::check {

namespace {

constexpr std::size_t most_findings = 10; // of one table
constexpr std::size_t longest_shown = 80; // of a key or a value

constexpr std::array<std::string_view, 13> content_parameters{
    "header_checks",      "mime_header_checks",      "nested_header_checks",      "body_checks",
    "smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks", "smtp_body_checks",
    "lmtp_header_checks", "lmtp_mime_header_checks", "lmtp_nested_header_checks", "lmtp_body_checks",
    "milter_header_checks"};

// What other servers and firewalls call it.
struct ForeignWord {
    std::string_view word, ours;
};
constexpr std::array foreign_words{
    ForeignWord{"ACCEPT", "OK"},    ForeignWord{"ALLOW", "OK"},       ForeignWord{"ALLOWED", "OK"},
    ForeignWord{"YES", "OK"},       ForeignWord{"PASS", "OK"},        ForeignWord{"BLOCK", "REJECT"},
    ForeignWord{"DENY", "REJECT"},  ForeignWord{"DENIED", "REJECT"},  ForeignWord{"NO", "REJECT"},
    ForeignWord{"BAN", "REJECT"},   ForeignWord{"REFUSE", "REJECT"},  ForeignWord{"ERROR", "REJECT"},
    ForeignWord{"DROP", "DISCARD"}, ForeignWord{"DELETE", "DISCARD"}, ForeignWord{"SKIP", "DUNNO"},
};

std::string shown(std::string_view text)
{
    std::string result = base::printable(text.substr(0, longest_shown));
    if (text.size() > longest_shown) result += "...";
    return result;
}

// "is REJECT meant?" and the like, or "".
std::string advice_for(std::string_view word, const std::vector<std::string_view>& known)
{
    if (config::has_odd_character(word)) return "a character that only looks like an ordinary one is part of the word";
    for (const ForeignWord& foreign : foreign_words)
        if (base::equal_ignoring_case(foreign.word, word) && std::ranges::find(known, foreign.ours) != known.end())
            return fmt::format("is {} meant?", foreign.ours);
    const std::string_view best = base::nearest(word, known, word.size() < 4 ? 1 : 2);
    return best.empty() ? std::string() : fmt::format("is {} meant?", best);
}

struct Flaw {
    std::string text, advice;
};

// Reads answers of access tables as apply_action() does.
class AccessJudge {
public:
    explicit AccessJudge(const config::Settings& settings) : known_(action_words())
    {
        for (const WrittenValue& written : written_values(settings)) {
            if (written.parameter != "smtpd_restriction_classes") continue;
            for (const auto name : base::split_any(written.value)) data_.classes.try_emplace(std::string(name));
        }
        for (const Row& row : rows()) known_.push_back(row.name);
        for (const auto& [name, list] : data_.classes) known_.push_back(name);
    }

    Flaw judge(std::string_view value, bool has_groups) const
    {
        const ParsedAction parsed = parse_access_action(value);
        // What a part of the key stands for nobody knows before.
        if (has_groups && (parsed.kind != ParsedAction::Kind::restrictions || parsed.word.contains('$'))) return {};
        switch (parsed.kind) {
        case ParsedAction::Kind::action: return {std::string(flaw_of_text(parsed)), {}};
        case ParsedAction::Kind::number:
        case ParsedAction::Kind::reply: return {};
        case ParsedAction::Kind::table: return judge_table(parsed);
        case ParsedAction::Kind::restrictions: break;
        }
        for (const Restriction& restriction : compile_result(data_, parsed.whole)) {
            if (restriction.members || restriction.name.contains('$')) continue;
            if (!restriction.row) {
                return {fmt::format("unknown smtpd restriction: \"{}\"{}", shown(restriction.name), answer),
                        advice_of(restriction.name)};
            }
            if (!restriction.flaw.empty()) return {restriction.flaw + std::string(answer), {}};
        }
        return {};
    }

private:
    static constexpr std::string_view answer = ", answered with 451 4.3.5";

    // "ERROR:550 text", "check_client_access hash:/x"
    Flaw judge_table(const ParsedAction& parsed) const
    {
        const std::string_view word = parsed.word.substr(0, parsed.word.find(':'));
        const std::string advice = find_row(word) ? std::string() : advice_for(word, known_);
        return {fmt::format("\"{}\" is taken for a lookup table, which must be named in main.cf{}", shown(parsed.whole),
                            answer),
                advice.empty() ? "write it into a class of smtpd_restriction_classes, and name the class here"
                               : advice};
    }

    std::string advice_of(std::string_view word) const
    {
        if (std::ranges::all_of(word, base::is_digit)) return "codes of replies are 4NN and 5NN";
        return advice_for(word, known_);
    }

    Policy::Data data_; // the names of its classes are of interest
    std::vector<std::string_view> known_;
};

class Finder {
public:
    explicit Finder(const config::Settings& settings) : settings_(settings), lists_(settings), access_(settings) {}

    std::vector<config::Problem> run()
    {
        for (const WrittenValue& written : written_values(settings_))
            look_at(written.parameter, written.value, written.at);
        return std::move(problems_);
    }

private:
    using Judge = std::function<Flaw(const table::WrittenEntry&)>;

    void look_at(const std::string& parameter, const std::string& value, const config::Location& at)
    {
        if (lists_.is_restriction_list(parameter)) return look_at_list(parameter, value, at);
        if (parameter == "smtpd_policy_service_default_action") {
            if (const Flaw flaw = access_.judge(value, false); !flaw.text.empty())
                add(at, parameter, fmt::format("{} = {}: {}", parameter, value, flaw.text), flaw.advice);
            return;
        }
        if (std::ranges::find(content_parameters, parameter) == content_parameters.end()) return;
        for (const std::string_view word : base::split_quoted_braces(value)) {
            if (word.starts_with('#')) return;
            read_table(parameter, word, source_.find(at, word),
                       [&](const table::WrittenEntry& entry) { return judge_content(parameter, entry); });
        }
    }

    // The tables of check_*_access, and those that stand there by themselves.
    void look_at_list(const std::string& parameter, std::string_view value, const config::Location& at, int depth = 0)
    {
        constexpr int deepest = 8;
        const std::vector<std::string_view> words = base::split_quoted_braces(value);
        for (std::size_t i = 0; i < words.size(); ++i) {
            std::string_view word = words[i];
            if (word.starts_with('#')) return;
            if (word.starts_with('{') && word.ends_with('}') && word.size() > 1) {
                if (depth < deepest) look_at_list(parameter, word.substr(1, word.size() - 2), at, depth + 1);
                continue;
            }
            if (const Row* const row = find_row(word)) {
                if (row->argument == Argument::none || ++i >= words.size()) continue;
                word = words[i];
                if (row->argument == Argument::certificate_table) {
                    const auto parsed = parse_certificate_table(word);
                    if (parsed) read_access(parameter, parsed->table, source_.find(at, word));
                    continue;
                }
                if (row->argument != Argument::table) continue;
            }
            read_access(parameter, word, source_.find(at, word));
        }
    }

    void read_access(const std::string& parameter, std::string_view spec, const config::Location& at)
    {
        read_table(parameter, spec, at,
                   [&](const table::WrittenEntry& entry) { return access_.judge(entry.value, entry.has_groups); });
    }

    static Flaw judge_content(const std::string& parameter, const table::WrittenEntry& entry)
    {
        const auto word = entry.value.substr(0, entry.value.find_first_of(" \t"));
        const auto known = rewrite::ContentRules::commands(parameter);
        const bool is_known = std::ranges::any_of(
            known, [&](std::string_view command) { return base::equal_ignoring_case(command, word); });
        if (entry.has_groups && (is_known || word.contains('$'))) return {};
        std::string text = rewrite::ContentRules::flaw_of(shown(entry.value), parameter);
        if (text.empty()) return {};
        return {text + ", so nothing is done", is_known ? std::string() : advice_for(word, known)};
    }

    void read_table(const std::string& parameter, std::string_view spec, const config::Location& at, const Judge& judge)
    {
        // The actions of headers are others than those of access tables, and so are those of mail that is sent.
        const std::string kind = lists_.is_restriction_list(parameter) ? "access" : parameter;
        if (spec.find(':') == spec.npos || !seen_.emplace(kind, spec).second) return;
        std::size_t count = 0;
        table::for_each_written_entry(spec, [&](const table::WrittenEntry& entry) {
            const Flaw flaw = judge(entry);
            if (flaw.text.empty() || ++count > most_findings) return;
            config::Location place = at;
            if (!entry.path.empty()) place = {std::string(entry.path), entry.line};
            const std::string whose = entry.key.empty() ? std::string(spec) : shown(entry.key);
            add(place, parameter, fmt::format("{}: {}: {}", parameter, whose, flaw.text), flaw.advice);
        });
        if (count > most_findings)
            add(at, parameter, fmt::format("{}: {} more such entries in {}", parameter, count - most_findings, spec),
                {});
    }

    void add(const config::Location& at, std::string_view parameter, std::string_view text, std::string_view advice)
    {
        problems_.push_back(config::make_problem(config::Problem::Level::warning, at, text, parameter, advice));
    }

    const config::Settings& settings_;
    const ListWords lists_;
    const AccessJudge access_;
    config::Source source_;
    std::set<std::pair<std::string, std::string>, std::less<>> seen_;
    std::vector<config::Problem> problems_;
};

} // namespace

std::vector<config::Problem> find_table_actions(const config::Settings& settings)
{
    return Finder(settings).run();
}

} // namespace ekiden::check
