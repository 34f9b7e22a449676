// regexp and pcre: the rule grammar they share (regexp_table(5), pcre_table(5)). The engines are in regex_engine.hpp.
#include "table/openers.hpp"
#include "table/regex_engine.hpp"
#include "table/substitution.hpp"

#include "base/text.hpp"

#include <array>

namespace ekiden::table {

namespace {

constexpr std::size_t max_nesting = 256;
constexpr std::size_t max_groups = 64;

// Where the two types differ in words and flags.
struct Dialect {
    std::string_view type;
    std::string_view unclosed;       // what happens to a rule without closing delimiter
    std::string_view out_of_range;
    bool has_second_pattern;         // /this/!/but not that/
};
constexpr Dialect regexp_dialect{"regexp", "skipping this rule", "out-of-range", true};
constexpr Dialect pcre_dialect{"pcre", "ignoring this rule", "out of range", false};

struct Pattern {
    bool is_negated = false;
    std::string text;
    std::string flags;
};

struct Rule {
    enum class Kind { match, begin_if, end_if } kind = Kind::match;
    bool is_negated = false;
    std::unique_ptr<const Regex> regex;
    std::unique_ptr<const Regex> exclusion;  // must not match
    Substitution result;
    std::size_t after_block = 0;
    int line = 0;
};

class PatternTable final : public FileTable {
public:
    PatternTable(const OpenRequest& request, FileStamp stamp, std::vector<Rule> rules)
        : FileTable(request, stamp), where_(std::string(request.type) + " map " + request.name),
          rules_(std::move(rules))
    {
    }
    bool has_patterns() const override { return true; }

    Answer lookup(std::string_view key) const override
    {
        std::array<std::string_view, max_groups> groups;
        const std::string subject(key.substr(0, key.find('\0')));
        for (std::size_t at = 0; at < rules_.size(); ++at) {
            const Rule& rule = rules_[at];
            if (rule.kind == Rule::Kind::end_if) continue;
            const std::size_t wanted = rule.result.highest_group();
            auto matched = rule.regex->matches(subject, std::span(groups).first(wanted));
            if (!matched) return trouble(rule, std::move(matched).error());
            bool is_match = *matched != rule.is_negated;
            if (is_match && rule.exclusion) {
                auto excluded = rule.exclusion->matches(subject, {});
                if (!excluded) return trouble(rule, std::move(excluded).error());
                is_match = !*excluded;
            }
            if (rule.kind == Rule::Kind::begin_if) {
                if (!is_match) at = rule.after_block - 1;
                continue;
            }
            if (!is_match) continue;
            if (wanted == 0) return rule.result.plain();
            auto value = rule.result.expand(std::span(groups).first(wanted));
            if (!value) return trouble(rule, std::move(value).error());
            return std::move(*value);
        }
        return std::nullopt;
    }

private:
    Answer trouble(const Rule& rule, Error error) const
    {
        return fail(std::move(error).with(where_ + ", line " + std::to_string(rule.line)));
    }
    std::string where_;
    std::vector<Rule> rules_;
};

class RuleParser {
public:
    RuleParser(const OpenRequest& request, const Dialect& dialect)
        : request_(request), dialect_(dialect), warn_(request.warn())
    {
    }

    Result<std::vector<Rule>> parse(std::string_view text)
    {
        SourceLines lines(text, request_.name, warn_);
        for (SourceLines::Line line; lines.next(line);) {
            where_ = place(line.number);
            std::string_view rest = base::trim(line.text);
            if (starts_with_keyword(rest, "endif")) {
                end_block(base::trim(rest.substr(5)));
            } else if (starts_with_keyword(rest, "if")) {
                begin_block(base::trim(rest.substr(2)), line.number);
            } else if (base::is_alnum(rest.front())) {
                say("ignoring unrecognized request");
            } else {
                add_rule(rest, line.number);
            }
            if (open_blocks_.size() > max_nesting) return fail(ErrorCode::too_long, where_ + "IF nesting is too deep");
        }
        if (lines.error()) return fail(*lines.error());
        for (; !open_blocks_.empty(); open_blocks_.pop_back()) {
            Rule& rule = rules_[open_blocks_.back()];
            rule.after_block = rules_.size();
            warn_(place(rule.line) + "IF has no matching ENDIF");
        }
        return std::move(rules_);
    }

private:
    std::string place(int line) const
    {
        return std::string(dialect_.type) + " map " + request_.name + ", line " + std::to_string(line) + ": ";
    }
    void say(std::string_view text) const { warn_(where_ + std::string(text)); }

    static bool starts_with_keyword(std::string_view line, std::string_view keyword)
    {
        return base::starts_with_ignoring_case(line, keyword) &&
               (line.size() == keyword.size() || !base::is_alnum(line[keyword.size()]));
    }

    // Takes `[!…]/pattern/flags` off the front of `rest`; warns and answers nothing if it cannot.
    std::optional<Pattern> take_pattern(std::string_view& rest) const
    {
        Pattern pattern;
        while (rest.starts_with('!')) {
            pattern.is_negated = !pattern.is_negated;
            rest = base::trim(rest.substr(1));
        }
        if (rest.empty()) {
            say("no regexp: skipping this rule");
            return std::nullopt;
        }
        const char delimiter = rest.front();
        std::size_t at = 1;
        for (; at < rest.size() && rest[at] != delimiter; ++at) {
            if (rest[at] == '\\' && at + 1 < rest.size()) pattern.text += rest[at++];
            pattern.text += rest[at];
        }
        if (at >= rest.size()) {
            say(std::string("no closing regexp delimiter \"") + delimiter + "\": " + std::string(dialect_.unclosed));
            return std::nullopt;
        }
        rest.remove_prefix(at + 1);
        const std::size_t end =
            std::min(rest.find_first_of(dialect_.has_second_pattern ? " \t\r\n\v\f!" : " \t\r\n\v\f"), rest.size());
        pattern.flags = rest.substr(0, end);
        rest.remove_prefix(end);
        return pattern;
    }

    std::unique_ptr<const Regex> compile(const Pattern& pattern, bool needs_groups) const
    {
        auto regex = dialect_.type == "pcre" ? compile_pcre(pattern.text, pattern.flags)
                                             : compile_posix(pattern.text, pattern.flags, needs_groups);
        if (regex) return std::move(*regex);
        say(regex.error());
        return nullptr;
    }

    void end_block(std::string_view extra)
    {
        if (open_blocks_.empty()) {
            say("ignoring ENDIF without matching IF");
            return;
        }
        if (!extra.empty()) say("ignoring extra text after ENDIF");
        rules_[open_blocks_.back()].after_block = rules_.size();
        open_blocks_.pop_back();
        Rule rule;
        rule.kind = Rule::Kind::end_if;
        rules_.push_back(std::move(rule));
    }

    void begin_block(std::string_view rest, int line)
    {
        const auto pattern = take_pattern(rest);
        if (!pattern) return;
        rest = base::trim(rest);
        if (!rest.empty()) {
            say("ignoring extra text after IF statement: \"" + std::string(rest) + "\"");
            say("do not prepend whitespace to statements between IF and ENDIF");
        }
        Rule rule;
        rule.kind = Rule::Kind::begin_if;
        rule.is_negated = pattern->is_negated;
        rule.line = line;
        rule.regex = compile(*pattern, false);
        if (!rule.regex) return;
        open_blocks_.push_back(rules_.size());
        rules_.push_back(std::move(rule));
    }

    void add_rule(std::string_view rest, int line)
    {
        const auto pattern = take_pattern(rest);
        if (!pattern) return;
        std::optional<Pattern> exclusion;
        if (dialect_.has_second_pattern && rest.starts_with('!')) {
            rest.remove_prefix(1);
            exclusion = take_pattern(rest);
            if (!exclusion) return;
        }
        const std::string_view text = base::trim(rest);
        if (text.empty()) say("no replacement text: using empty string");
        auto result = Substitution::parse(text, dialect_.out_of_range);
        if (!result) {
            if (!result.error().remark.empty()) warn_(result.error().remark);
            if (!result.error().text.empty()) say(result.error().text);
            say("bad replacement syntax: skipping this rule");
            return;
        }
        if (result->has_groups() && pattern->is_negated) {
            say("$number found in negative match replacement text: skipping this rule");
            return;
        }
        if (result->has_groups() && request_.options.forbids_substitution) {
            say("regular expression substitution is not allowed: skipping this rule");
            return;
        }
        Rule rule;
        rule.is_negated = pattern->is_negated;
        rule.line = line;
        rule.regex = compile(*pattern, result->has_groups());
        if (!rule.regex) return;
        if (exclusion) {
            rule.exclusion = compile(*exclusion, false);
            if (!rule.exclusion) return;
        }
        if (result->highest_group() > std::min<std::size_t>(rule.regex->group_count(), max_groups)) {
            say("out of range replacement index \"" + std::to_string(result->highest_group()) +
                "\": skipping this rule");
            return;
        }
        rule.result = std::move(*result);
        rules_.push_back(std::move(rule));
    }

    const OpenRequest& request_;
    const Dialect& dialect_;
    Warn warn_;
    std::string where_;
    std::vector<Rule> rules_;
    std::vector<std::size_t> open_blocks_;
};

}  // namespace

Result<TablePtr> parse_patterns(const OpenRequest& request, std::string_view text, FileStamp stamp)
{
    RuleParser parser(request, request.type == "pcre" ? pcre_dialect : regexp_dialect);
    EKIDEN_TRY_VALUE(rules, parser.parse(text));
    return std::make_shared<PatternTable>(request, stamp, std::move(rules));
}

Result<TablePtr> open_patterns(const OpenRequest& request)
{
    EKIDEN_TRY_VALUE(rules, inline_rules(request));
    if (rules) return parse_patterns(request, *rules, {});
    EKIDEN_TRY_VALUE(source, read_lookup_source(request.name));
    return parse_patterns(request, source.text, source.stamp);
}

}  // namespace ekiden::table
