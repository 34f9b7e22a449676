#include "rewrite/content_rules.hpp"

#include "base/text.hpp"

#include <array>

namespace ekiden::rewrite {
namespace {

using Action = ContentRules::Action;

struct Row {
    std::string_view command;
    Action action;
    std::string_view log_word;
    bool needs_text = false;
};
constexpr std::array rows = std::to_array<Row>({
    {"REJECT", Action::reject, "reject"},
    {"WARN", Action::warn, "warning"},
    {"INFO", Action::info, "info"},
    {"IGNORE", Action::ignore, ""},
    {"STRIP", Action::strip, "strip"},
    {"DISCARD", Action::discard, "discard"},
    {"HOLD", Action::hold, "hold"},
    {"FILTER", Action::filter, "filter", true},
    {"REDIRECT", Action::redirect, "redirect", true},
    {"BCC", Action::bcc, "bcc", true},
    {"PREPEND", Action::prepend, "prepend", true},
    {"REPLACE", Action::replace, "replace", true},
    {"PASS", Action::pass, "pass"},
    {"DUNNO", Action::none, ""},
    {"OK", Action::none, ""},
});

}  // namespace

std::string_view log_word(Action action)
{
    for (const auto& row : rows)
        if (row.action == action) return row.log_word;
    return {};
}

ContentRules ContentRules::from(const config::Settings& settings)
{
    const auto maps = [&](const std::string& name) { return table::Maps::open(name, settings.str(name), {.fold_keys = false}); };
    ContentRules rules;
    rules.header_ = maps("header_checks");
    rules.mime_header_ = maps("mime_header_checks");
    rules.body_ = maps("body_checks");
    rules.body_size_limit_ = static_cast<std::size_t>(settings.integer("body_checks_size_limit"));
    return rules;
}

Task<Result<ContentRules::Verdict>> ContentRules::check_header(mime::FieldName known, std::string_view name, std::string text,
                                                               const Logger* log) const
{
    const bool is_mime = known == mime::FieldName::mime_version || base::starts_with_ignoring_case(name, "content-");
    const table::Maps& maps = is_mime ? mime_header_ : header_;
    if (maps.is_empty()) co_return Verdict{};
    table::Answer answer = co_await maps.find(std::move(text), log);
    if (!answer) co_return fail(std::move(answer).error());
    if (!*answer) co_return Verdict{};
    co_return parse(maps, **answer, log);
}

Task<Result<ContentRules::Verdict>> ContentRules::check_body(std::string line, const Logger* log) const
{
    table::Answer answer = co_await body_.find(std::move(line), log);
    if (!answer) co_return fail(std::move(answer).error());
    if (!*answer) co_return Verdict{};
    co_return parse(body_, **answer, log);
}

ContentRules::Verdict ContentRules::parse(const table::Maps& maps, const std::string& result, const Logger* log)
{
    const auto whole = base::trim(result);
    const auto end = std::min(whole.find_first_of(" \t"), whole.size());
    const auto command = whole.substr(0, end);
    const auto text = base::trim(whole.substr(end));
    for (const auto& row : rows) {
        if (!base::equal_ignoring_case(row.command, command)) continue;
        if (row.needs_text && text.empty()) {
            if (log) log->warning("{} action without text in {} map", row.command, maps.title());
            return {};
        }
        return {row.action, std::string(text)};
    }
    if (log) log->warning("unknown command in {} map: {}", maps.title(), result);
    return {};
}

}  // namespace ekiden::rewrite
