#include "rewrite/content_rules.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::rewrite {
namespace {

using Action = ContentRules::Action;

// What stands behind the command.
enum class Text : std::uint8_t { any, field, address, transport };

struct Row {
    std::string_view command;
    Action action;
    std::string_view log_word;
    Text text = Text::any;
    bool is_for_clients = false;   // also while mail is sent, when it is too late to do anything else with it
};
constexpr std::array rows = std::to_array<Row>({
    {"REJECT", Action::reject, "reject"},
    {"WARN", Action::warn, "warning", Text::any, true},
    {"INFO", Action::info, "info", Text::any, true},
    {"IGNORE", Action::ignore, "", Text::any, true},
    {"STRIP", Action::strip, "strip", Text::any, true},
    {"DISCARD", Action::discard, "discard"},
    {"HOLD", Action::hold, "hold"},
    {"FILTER", Action::filter, "filter", Text::transport},
    {"REDIRECT", Action::redirect, "redirect", Text::address},
    {"BCC", Action::bcc, "bcc", Text::address},
    {"PREPEND", Action::prepend, "prepend", Text::field, true},
    {"REPLACE", Action::replace, "replace", Text::field, true},
    {"PASS", Action::pass, "pass"},
    {"DUNNO", Action::none, "", Text::any, true},
    {"OK", Action::none, "", Text::any, true},
});

// What is wrong with the text of an action, in Postfix's words; empty when nothing is.
std::string flaw_of(const Row& row, bool is_header, std::string_view text, const std::string& title)
{
    if (row.text == Text::transport && text.empty()) return fmt::format("missing FILTER command argument in {} map", title);
    if (row.text == Text::field && text.empty())
        return fmt::format("{} action without text in {} map", row.command, title);
    switch (row.text) {
    case Text::any: break;
    case Text::field:
        if (is_header && mime::field_start(text).name_length == 0)
            return fmt::format("bad {} header text \"{}\" in {} map -- need \"headername: headervalue\"", row.command,
                               text, title);
        break;
    case Text::address:
        if (!text.contains('@'))
            return fmt::format("bad {} {} \"{}\" in {} map -- need user@domain", row.command,
                               row.action == Action::bcc ? "address" : "target", text, title);
        break;
    case Text::transport:
        if (!text.contains(':'))
            return fmt::format("bad FILTER command {} in {} -- need transport:destination", text, title);
        break;
    }
    return {};
}

}  // namespace

std::string_view log_word(Action action)
{
    for (const auto& row : rows)
        if (row.action == action) return row.log_word;
    return {};
}

ContentRules ContentRules::from(const config::Settings& settings, std::string_view prefix)
{
    const auto maps = [&](std::string_view suffix) {
        const std::string name = std::string(prefix) + std::string(suffix);
        return table::Maps::open(name, settings.str(name), {.fold_keys = false});
    };
    ContentRules rules;
    rules.is_client_ = !prefix.empty();
    rules.header_ = maps("header_checks");
    rules.mime_header_ = maps("mime_header_checks");
    rules.nested_header_ = maps("nested_header_checks");
    rules.body_ = maps("body_checks");
    rules.body_size_limit_ = static_cast<std::size_t>(settings.integer("body_checks_size_limit"));
    return rules;
}

ContentRules ContentRules::for_milters(const config::Settings& settings)
{
    ContentRules rules;
    rules.header_ = table::Maps::open("milter_header_checks", settings.str("milter_header_checks"), {.fold_keys = false});
    rules.mime_header_ = rules.header_;
    return rules;
}

Task<Result<ContentRules::Verdict>> ContentRules::check_header(mime::HeaderKind kind, mime::FieldName known,
                                                               std::string_view name, std::string text,
                                                               const Logger* log) const
{
    const bool is_mime = kind == mime::HeaderKind::part || known == mime::FieldName::mime_version
        || base::starts_with_ignoring_case(name, "content-");
    const table::Maps& maps = is_mime ? mime_header_ : kind == mime::HeaderKind::nested ? nested_header_ : header_;
    if (maps.is_empty()) co_return Verdict{};
    table::Answer answer = co_await maps.find(std::move(text), log);
    if (!answer) co_return fail(std::move(answer).error());
    if (!*answer) co_return Verdict{};
    co_return parse(maps, true, **answer, log);
}

Task<Result<ContentRules::Verdict>> ContentRules::check_body(std::string line, const Logger* log) const
{
    table::Answer answer = co_await body_.find(std::move(line), log);
    if (!answer) co_return fail(std::move(answer).error());
    if (!*answer) co_return Verdict{};
    co_return parse(body_, false, **answer, log);
}

namespace {

bool is_of_client(std::string_view title) { return title.starts_with("smtp_") || title.starts_with("lmtp_"); }

// The command, what stands behind it, and the row of the command; null: there is none.
struct Parsed {
    std::string_view command, text;
    const Row* row = nullptr;
};
Parsed parse_result(std::string_view result, bool is_client)
{
    const auto whole = base::trim(result);
    const auto end = std::min(whole.find_first_of(" \t"), whole.size());
    Parsed parsed{whole.substr(0, end), base::trim(whole.substr(end))};
    const auto row = std::ranges::find_if(rows, [&](const Row& candidate) {
        return base::equal_ignoring_case(candidate.command, parsed.command) && (!is_client || candidate.is_for_clients);
    });
    if (row != rows.end()) parsed.row = &*row;
    return parsed;
}

std::string flaw_of_parsed(const Parsed& parsed, bool is_client, bool is_header, std::string_view result,
                           const std::string& title)
{
    if (parsed.row) return flaw_of(*parsed.row, is_header, parsed.text, title);
    return fmt::format("{} command in {} map: {}", is_client ? "unsupported" : "unknown", title, result);
}

}  // namespace

std::string ContentRules::flaw_of(std::string_view result, const std::string& title)
{
    const bool is_client = is_of_client(title);
    return flaw_of_parsed(parse_result(result, is_client), is_client, title.ends_with("header_checks"), result, title);
}

std::vector<std::string_view> ContentRules::commands(std::string_view title)
{
    std::vector<std::string_view> words;
    for (const Row& row : rows)
        if (row.is_for_clients || !is_of_client(title)) words.push_back(row.command);
    return words;
}

ContentRules::Verdict ContentRules::parse(const table::Maps& maps, bool is_header, const std::string& result,
                                          const Logger* log) const
{
    const Parsed parsed = parse_result(result, is_client_);
    const std::string flaw = flaw_of_parsed(parsed, is_client_, is_header, result, maps.title());
    if (flaw.empty()) return {parsed.row->action, std::string(parsed.text)};
    if (log) log->warning("{}", flaw);
    return {};
}

}  // namespace ekiden::rewrite
