#include "tools/smtp_sink_ledger.hpp"

#include "base/text.hpp"
#include "base/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

namespace ekiden::tools {

namespace {

constexpr std::size_t longest_mark_line = 256;

bool is_hex(std::string_view text)
{
    return !text.empty() && text.find_first_not_of("0123456789abcdef") == text.npos;
}

struct Line {
    std::string_view kind, digest, id_and_recipient, run;
};

std::optional<Line> parse_line(std::string_view text)
{
    const std::size_t digest = text.find(' ');
    if (digest == text.npos) return std::nullopt;
    const std::size_t id = text.find(' ', digest + 1);
    if (id == text.npos) return std::nullopt;
    Line line{.kind = text.substr(0, digest),
              .digest = text.substr(digest + 1, id - digest - 1),
              .id_and_recipient = text.substr(id + 1),
              .run = {}};
    if (line.id_and_recipient.find(' ') == text.npos) return std::nullopt;
    if (line.kind == "unmarked") return line;
    const std::size_t slash = line.id_and_recipient.find('/');
    if (slash == text.npos || line.digest.size() != 64 || !is_hex(line.digest)) return std::nullopt;
    line.run = line.id_and_recipient.substr(0, slash);
    return line;
}

// Calls use(line), which says whether the kind is known.
template <class Use>
Result<void> each_line(std::string_view text, std::string_view which, const Use& use)
{
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        if (end == text.npos) return {};
        const auto line = parse_line(text.substr(0, end));
        if (!line || !use(*line))
            return fail(ErrorCode::syntax, fmt::format("{} ledger: line {} cannot be read", which, number));
        text.remove_prefix(end + 1);
    }
    return {};
}

struct Copy {
    enum class State { offered, accepted, refused } state = State::offered;
    std::string_view digest;
    std::size_t arrived = 0;
    std::size_t changed = 0;
};

// `name` is "run/sequence recipient".
LedgerFinding finding(std::string_view what, std::string_view name, std::string remark = {})
{
    const std::size_t space = name.find(' ');
    return {.what = what,
            .id = std::string(name.substr(0, space)),
            .recipient = std::string(name.substr(space + 1)),
            .remark = std::move(remark)};
}

void judge(LedgerReport& report, std::string_view name, const Copy& copy)
{
    if (copy.state == Copy::State::refused) {
        if (copy.arrived == 0) return;
        ++report.unasked;
        report.findings.push_back(finding("unasked", name, "it was refused"));
        return;
    }
    if (copy.state == Copy::State::accepted) ++report.acknowledged;
    else ++report.unanswered;
    if (copy.state == Copy::State::offered && copy.arrived > 0) ++report.unanswered_arrived;

    const bool is_lost = copy.state == Copy::State::accepted && copy.arrived == 0;
    if (is_lost) {
        ++report.lost;
        report.findings.push_back(finding("lost", name));
    }
    if (copy.arrived > 1) {
        ++report.duplicate;
        report.findings.push_back(finding("duplicate", name, fmt::format("arrived {} times", copy.arrived)));
    }
    if (copy.changed > 0) {
        ++report.changed;
        report.findings.push_back(finding("changed", name));
    }
    if (copy.state == Copy::State::accepted && copy.arrived == 1 && copy.changed == 0) ++report.sound;
}

}  // namespace

void LedgerScan::add(std::string_view wire_bytes)
{
    while (is_header_ && !wire_bytes.empty()) {
        const std::size_t newline = wire_bytes.find('\n');
        const std::string_view piece = wire_bytes.substr(0, newline);
        line_ += piece.substr(0, longest_mark_line - std::min(longest_mark_line, line_.size()));
        wire_bytes.remove_prefix(newline == wire_bytes.npos ? wire_bytes.size() : newline + 1);
        if (newline != wire_bytes.npos) end_header_line();
    }
    if (digest_) digest_->add(wire_bytes);
}

void LedgerScan::end_header_line()
{
    std::string_view line = line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) is_header_ = false;
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (base::equal_ignoring_case(line.substr(0, colon), ledger_header)) {
        const auto parts = base::split(base::trim(line.substr(colon + 1)), '/');
        if (parts.size() == 3 && is_hex(parts[0]) && base::parse_number<std::uint64_t>(parts[1]) && is_hex(parts[2])) {
            id_ = fmt::format("{}/{}", parts[0], parts[1]);
            digest_.emplace();
            is_header_ = false;
        }
    }
    line_.clear();
}

std::string LedgerFinding::text() const
{
    return fmt::format("{} {} {}{}", what, id, recipient, remark.empty() ? "" : fmt::format(" ({})", remark));
}

std::string LedgerReport::json() const
{
    std::string text =
        fmt::format(R"({{"proof":{},"acknowledged":{},"sound":{},"lost":{},"duplicate":{},"changed":{},"unasked":{},)"
                    R"("unanswered":{},"unanswered_arrived":{},"other_runs":{},"unmarked":{},"findings":[)",
                    is_proof(), acknowledged, sound, lost, duplicate, changed, unasked, unanswered, unanswered_arrived,
                    other_runs, unmarked);
    std::string_view separator;
    for (const LedgerFinding& found : findings) {
        fmt::format_to(std::back_inserter(text), R"({}{{"what":"{}","id":{},"recipient":{},"remark":{}}})", separator,
                       found.what, base::json_text(found.id), base::json_text(found.recipient), base::json_text(found.remark));
        separator = ",";
    }
    return text + "]}";
}

std::string LedgerReport::summary() const
{
    std::string text =
        fmt::format("{} acknowledged: {} arrived once and unchanged, {} lost, {} duplicate, {} changed; {} unasked",
                    acknowledged, sound, lost, duplicate, changed, unasked);
    if (unanswered > 0)
        text += fmt::format("; {} without an answer, of which {} arrived", unanswered, unanswered_arrived);
    if (other_runs > 0) text += fmt::format("; {} of other runs", other_runs);
    if (unmarked > 0) text += fmt::format("; {} without a mark", unmarked);
    return text;
}

Result<LedgerReport> check_ledgers(std::string_view sent, std::string_view received)
{
    using enum Copy::State;
    std::unordered_map<std::string_view, Copy> copies;
    std::vector<std::string_view> order;  // findings come in the order of sending
    std::unordered_set<std::string_view> runs;
    EKIDEN_TRY(each_line(sent, "sent", [&](const Line& line) {
        const auto state = line.kind == "offered"    ? std::optional(offered)
                           : line.kind == "accepted" ? std::optional(accepted)
                           : line.kind == "refused"  ? std::optional(refused)
                                                     : std::nullopt;
        if (!state) return false;
        const auto [place, is_new] = copies.try_emplace(line.id_and_recipient);
        if (is_new) order.push_back(line.id_and_recipient);
        place->second.state = *state;
        place->second.digest = line.digest;
        runs.insert(line.run);
        return true;
    }));

    LedgerReport report;
    EKIDEN_TRY(each_line(received, "received", [&](const Line& line) {
        if (line.kind == "unmarked") ++report.unmarked;
        else if (line.kind != "received") return false;
        else if (const auto found = copies.find(line.id_and_recipient); found != copies.end()) {
            ++found->second.arrived;
            found->second.changed += found->second.digest != line.digest;
        } else if (runs.contains(line.run)) {
            ++report.unasked;
            report.findings.push_back(finding("unasked", line.id_and_recipient, "never sent"));
        } else {
            ++report.other_runs;
        }
        return true;
    }));
    for (const std::string_view name : order) judge(report, name, copies.find(name)->second);
    return report;
}

}  // namespace ekiden::tools
