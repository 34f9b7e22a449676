#include "base/text.hpp"
#include "check/access_actions.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"

namespace ekiden::check {
namespace {

struct Action {
    Evaluation& evaluation;
    Subject subject;
    const std::string& table;
    const std::string& key;
    std::string_view text;      // what follows the word, trimmed
};

Step warn_of_entry(const Action& action, std::string_view what)
{
    action.evaluation.data.logger.warning("access table {} entry \"{}\" {}", action.table, action.key, what);
    return Step::dunno;
}

Refusal refusal_of(const Action& action, int code, std::string_view enhanced, std::string_view default_text)
{
    auto [status, text] = split_enhanced(action.text, enhanced);
    return rejected(action.evaluation, action.subject, code, status,
                    text.empty() ? default_text : std::string_view(text));
}

std::string label(const Action& action)
{
    return fmt::format("<{}>: {}", name_of(action.evaluation.facts, action.subject), class_of(action.subject));
}

Step do_ok(const Action&) { return Step::permit; }
Step do_dunno(const Action&) { return Step::dunno; }

Step do_reject_action(const Action& action)
{
    return refuse(action.evaluation,
                  refusal_of(action, action.evaluation.options().access_map_reject_code, "5.7.1", "Access denied"));
}

Step do_defer_action(const Action& action)
{
    return refuse(action.evaluation,
                  refusal_of(action, action.evaluation.options().access_map_defer_code, "4.7.1", "Access denied"));
}

Step do_defer_if_permit_action(const Action& action)
{
    return defer_if_permit(action.evaluation, refusal_of(action, action.evaluation.options().access_map_defer_code,
                                                         "4.7.1", "Service unavailable"));
}

Step do_defer_if_reject_action(const Action& action)
{
    return defer_if_reject(action.evaluation, refusal_of(action, action.evaluation.options().access_map_defer_code,
                                                         "4.7.1", "Service unavailable"));
}

Step do_warn(const Action& action)
{
    log_event(action.evaluation, "warn", action.text);
    return Step::dunno;
}

Step do_info(const Action& action)
{
    log_event(action.evaluation, "info", action.text);
    return Step::dunno;
}

// What is wrong with the text of an action, or "".
std::string_view flaw_of_filter(std::string_view text)
{
    if (text.empty()) return "has FILTER entry without value";
    return text.contains(':') ? std::string_view() : "requires transport:destination";
}
std::string_view flaw_of_address(std::string_view text)
{
    return text.contains('@') ? std::string_view() : "requires user@domain target";
}
std::string_view flaw_of_header(std::string_view text)
{
    const std::size_t colon = text.find(':');
    return colon == text.npos || colon == 0 ? "requires header: text" : std::string_view();
}

// Before MAIL there is no message that anything could be done with.
bool comes_too_early(const Action& action, std::string_view word)
{
    if (action.evaluation.stage != Stage::connect && action.evaluation.stage != Stage::helo) return false;
    action.evaluation.data.logger.warning(
        "access table {}: with smtpd_delay_reject=no, action {} is always skipped in Client host or Helo command restrictions",
        action.table, word);
    return true;
}

Step do_discard(const Action& action)
{
    if (comes_too_early(action, "DISCARD")) return Step::dunno;
    log_event(action.evaluation, "discard",
              fmt::format("{} {}", label(action), action.text.empty() ? "triggers DISCARD action" : action.text));
    action.evaluation.verdict.discards = true;
    return Step::permit;
}

Step do_hold(const Action& action)
{
    if (comes_too_early(action, "HOLD")) return Step::dunno;
    if (action.evaluation.facts.is_held || std::exchange(action.evaluation.verdict.holds, true)) return Step::dunno;
    log_event(action.evaluation, "hold",
              fmt::format("{} {}", label(action), action.text.empty() ? "triggers HOLD action" : action.text));
    return Step::dunno;
}

Step do_filter(const Action& action)
{
    if (comes_too_early(action, "FILTER")) return Step::dunno;
    if (const auto flaw = flaw_of_filter(action.text); !flaw.empty()) return warn_of_entry(action, flaw);
    log_event(action.evaluation, "filter", fmt::format("{} triggers FILTER {}", label(action), action.text));
    action.evaluation.verdict.filter = action.text;
    return Step::dunno;
}

Step do_redirect(const Action& action)
{
    if (comes_too_early(action, "REDIRECT")) return Step::dunno;
    if (const auto flaw = flaw_of_address(action.text); !flaw.empty()) return warn_of_entry(action, flaw);
    log_event(action.evaluation, "redirect", fmt::format("{} triggers REDIRECT {}", label(action), action.text));
    action.evaluation.verdict.redirect = action.text;
    return Step::dunno;
}

Step do_bcc(const Action& action)
{
    if (comes_too_early(action, "BCC")) return Step::dunno;
    if (const auto flaw = flaw_of_address(action.text); !flaw.empty()) return warn_of_entry(action, flaw);
    log_event(action.evaluation, "bcc", fmt::format("{} triggers BCC {}", label(action), action.text));
    action.evaluation.verdict.bcc.emplace_back(action.text);
    return Step::dunno;
}

Step do_prepend(const Action& action)
{
    if (comes_too_early(action, "PREPEND")) return Step::dunno;
    if (action.evaluation.stage == Stage::end_of_data) {
        action.evaluation.data.logger.warning(
            "access table {}: action PREPEND must be used before smtpd_end_of_data_restrictions", action.table);
        return Step::dunno;
    }
    if (const auto flaw = flaw_of_header(action.text); !flaw.empty()) return warn_of_entry(action, flaw);
    action.evaluation.verdict.prepend.emplace_back(action.text);
    return Step::dunno;
}

struct ActionRow {
    std::string_view word;
    Step (*run)(const Action&);
    std::string_view (*flaw)(std::string_view text) = nullptr;    // null: any text will do
};

constexpr ActionRow actions[] = {
    {"OK", do_ok},
    {"RELAY", do_ok},
    {"DUNNO", do_dunno},
    {"REJECT", do_reject_action},
    {"DEFER", do_defer_action},
    {"DEFER_IF_PERMIT", do_defer_if_permit_action},
    {"DEFER_IF_REJECT", do_defer_if_reject_action},
    {"WARN", do_warn},
    {"INFO", do_info},
    {"DISCARD", do_discard},
    {"HOLD", do_hold},
    {"FILTER", do_filter, flaw_of_filter},
    {"REDIRECT", do_redirect, flaw_of_address},
    {"BCC", do_bcc, flaw_of_address},
    {"PREPEND", do_prepend, flaw_of_header},
};

bool is_numeric(std::string_view text)
{
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

ParsedAction parse_access_action(std::string_view value)
{
    using Kind = ParsedAction::Kind;
    ParsedAction parsed;
    parsed.whole = base::trim(value);
    const std::size_t space = parsed.whole.find_first_of(" \t");
    parsed.word = parsed.whole.substr(0, space);
    // Blanks at the end are what a pattern or a policy service says; files have none there.
    if (space != std::string_view::npos) {
        const auto begin = value.find(parsed.word) + parsed.word.size();
        parsed.text = value.substr(std::min(value.find_first_not_of(" \t", begin), value.size()));
    }
    for (int i = 0; const ActionRow& row : actions) {
        if (base::equal_ignoring_case(row.word, parsed.word)) {
            parsed.kind = Kind::action;
            parsed.number = i;
            return parsed;
        }
        ++i;
    }
    if (is_numeric(parsed.whole)) {
        parsed.kind = Kind::number;
    } else if (parsed.word.size() == 3 && is_numeric(parsed.word) && (parsed.word[0] == '4' || parsed.word[0] == '5')) {
        parsed.kind = Kind::reply;
        parsed.number = base::parse_number<int>(parsed.word).value_or(450);
    } else if (parsed.whole.find(':') != std::string_view::npos) {
        parsed.kind = Kind::table;
    }
    return parsed;
}

std::string_view flaw_of_text(const ParsedAction& parsed)
{
    if (parsed.kind != ParsedAction::Kind::action || !actions[parsed.number].flaw) return {};
    return actions[parsed.number].flaw(parsed.text);
}

std::vector<std::string_view> action_words()
{
    std::vector<std::string_view> words;
    for (const ActionRow& row : actions) words.push_back(row.word);
    return words;
}

Task<Step> apply_action(Evaluation& evaluation, std::string table, std::string key, std::string value, Subject subject)
{
    const ParsedAction parsed = parse_access_action(value);
    const Action action{evaluation, subject, table, key, parsed.text};
    switch (parsed.kind) {
        case ParsedAction::Kind::action: {
            const ActionRow& row = actions[parsed.number];
            const Step step = row.run(action);
            if (step == Step::permit) co_await log_permit(evaluation, parsed.word, subject, table);
            co_return step;
        }
        case ParsedAction::Kind::number:
            co_await log_permit(evaluation, parsed.whole, subject, table);
            co_return Step::permit;
        case ParsedAction::Kind::reply:
            co_return refuse(evaluation, refusal_of(action, parsed.number, parsed.number < 500 ? "4.7.1" : "5.7.1",
                                                    "Access denied"));
        case ParsedAction::Kind::table:
            evaluation.data.logger.warning("access table {} has entry with lookup table: {}", table, parsed.whole);
            evaluation.data.logger.warning("do not specify lookup tables inside SMTPD access maps");
            evaluation.data.logger.warning("define a restriction class and specify its name instead.");
            co_return refuse(evaluation, configuration_error());
        case ParsedAction::Kind::restrictions: break;
    }
    if (evaluation.depth >= deepest_nesting) {
        evaluation.data.logger.warning("access table {} entry {} causes unreasonable recursion", table, parsed.whole);
        co_return refuse(evaluation, configuration_error());
    }
    const List list = compile_result(evaluation.data, parsed.whole);
    co_return co_await run_list(evaluation, list, subject);
}

}  // namespace ekiden::check
