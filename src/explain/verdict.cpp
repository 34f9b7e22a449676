// From everything that was found out to one answer: accepted, refused, or try later; and why.
#include "explain/findings.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::explain {

namespace {

constexpr int accepted = 0, refused = 1, try_later = 75;

// What the server refuses by itself, and which parameter makes it.
struct OwnRefusal {
    std::string_view text, parameter;
};
constexpr OwnRefusal own_refusals[] = {
    {"530 5.7.0 Must issue a STARTTLS command first", "smtpd_tls_security_level"},
    {"552 5.3.4 Message size exceeds fixed limit", "message_size_limit"},
    {"452 4.3.1 Insufficient system storage", "queue_minfree"},
    {"503 5.5.1 Error: send HELO/EHLO first", "smtpd_helo_required"},
};

// The last restriction that said so, with the way to it.
struct Found {
    std::vector<const Event*> path;
    const Event* event = nullptr;
};

void find(const std::vector<Event>& events, std::string_view answer, std::vector<const Event*>& path, Found& found)
{
    for (const Event& event : events) {
        const bool has_parts = event.what == "list" || event.what == "class" || event.what == "restriction";
        if (!has_parts || event.answer != answer) continue;
        path.push_back(&event);
        found = {path, &event};
        find(event.inside, answer, path, found);
        path.pop_back();
    }
}

// local(8) made other mail of it, and that is all: the other mail is followed by itself.
bool is_passed_on(const Delivery& delivery)
{
    const auto is_forward = [](const Delivery::End& end) {
        return end.fate == Fate::delivered && end.text.starts_with("forwarded as ");
    };
    return !delivery.ends.empty() && std::ranges::all_of(delivery.ends, is_forward);
}

// A table that cannot be asked, or a rule for headers and bodies: what content is refused for.
std::optional<std::string> find_table(const std::vector<Event>& events, Places& places)
{
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
        const bool is_rule = event->what == "lookup" && event->name.ends_with("_checks");
        if (!is_rule && event->what != "trouble") continue;
        return fmt::format("{} {} ({}{}), {}", event->name, event->where, is_rule ? "" : "cannot be asked: ",
                           is_rule ? event->detail + ": " + event->value : event->value,
                           places.find(event->name, event->where).text());
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> find_reason(const std::vector<Event>& events, Places& places, std::string_view answer)
{
    Found found;
    std::vector<const Event*> path;
    find(events, answer, path, found);
    if (!found.event) return std::nullopt;
    // The parameter that names it: the innermost class, or the list.
    const Event* holder = found.event;
    for (const Event* each : found.path) {
        if (each != found.event && (each->what == "list" || each->what == "class")) holder = each;
    }
    if (holder == found.event) return fmt::format("{}, {}", holder->name, places.find(holder->name).text());
    std::string reason = found.event->name;
    if (!found.event->detail.empty()) reason += " " + found.event->detail;
    for (const Event& fact : found.event->inside) {
        if (fact.what == "lookup" && fact.where == found.event->detail)
            reason += fmt::format(" (key {}: {})", fact.detail, fact.value);
    }
    const std::string word = found.event->detail.empty() ? found.event->name : found.event->detail;
    return fmt::format("{} in {}, {}", reason, holder->name, places.find(holder->name, word).text());
}

namespace {

// Why the last reply is not a 2xx one.
Verdict judge_refusal(const Step& last, Places& places)
{
    Verdict verdict;
    verdict.status = last.code >= 500 ? refused : try_later;
    verdict.headline = last.reply;
    if (auto reason = find_reason(last.events, places)) {
        verdict.because = *reason;
    } else if (std::ranges::any_of(last.events, [](const Event& event) { return event.what == "reject"; })) {
        verdict.because = "a deferral that became due because nothing refused";
    } else if (const auto own = std::ranges::find(own_refusals, std::string_view(last.reply), &OwnRefusal::text);
               own != std::end(own_refusals)) {
        verdict.because = fmt::format("{}, {}", own->parameter, places.find(own->parameter).text());
    } else if (auto table = find_table(last.events, places)) {
        verdict.because = *table;
    } else {
        const bool is_command = last.command != "connect" && last.command != "end of message";
        verdict.because = is_command ? "the server's own check of " + last.command.substr(0, last.command.find(' '))
                                     : "the server's own checks";
    }
    return verdict;
}

}  // namespace

Verdict judge(const Findings& findings, Places& places)
{
    Verdict verdict;
    if (findings.steps.empty()) return {try_later, "no answer", ""};
    const Step& last = findings.steps.back();
    if (last.code >= 400 || last.code == 0) return judge_refusal(last, places);
    if (!findings.is_queued) {
        verdict.headline = "250: accepted and thrown away (DISCARD)";
        return verdict;
    }
    if (findings.is_held) {
        verdict.headline = "250: accepted, and kept on hold until an operator releases it";
        return verdict;
    }
    // The worst of what becomes of the recipients, and the first that shows it.
    const Delivery* at = nullptr;
    const Delivery::End* worst = nullptr;
    const auto weight = [](Fate fate) { return fate == Fate::bounced ? 2 : fate == Fate::deferred ? 1 : 0; };
    std::size_t passed_on = 0;    // recipients that only stand for others
    for (const Delivery& delivery : findings.deliveries) {
        if (is_passed_on(delivery)) {
            ++passed_on;
            continue;
        }
        for (const Delivery::End& end : delivery.ends) {
            if (worst && weight(end.fate) <= weight(worst->fate)) continue;
            at = &delivery;
            worst = &end;
        }
    }
    if (!worst) {
        verdict.headline = "250: accepted";
        return verdict;
    }
    const std::size_t count = findings.deliveries.size() + findings.left_out - passed_on;
    const std::string others = count > 1 ? fmt::format(" ({} recipients after expansion)", count) : std::string();
    switch (worst->fate) {
    case Fate::bounced:
        verdict.status = refused;
        verdict.headline = fmt::format("250: accepted, then returned to the sender: <{}>: {} {}{}", worst->address,
                                       worst->code, worst->text, others);
        break;
    case Fate::deferred:
        verdict.status = try_later;
        verdict.headline = fmt::format("250: accepted, then waiting in the queue: <{}>: {} {}{}", worst->address,
                                       worst->code, worst->text, others);
        break;
    case Fate::delivered:
    case Fate::unknown: {
        verdict.status = accepted;
        std::string where = worst->text;
        for (const Event& event : at->events) {
            if (event.what == "act" && event.name == "maildir") where = "delivered to Maildir " + event.where;
            else if (event.what == "act" && event.name == "mailbox") where = "delivered to mailbox " + event.where;
        }
        verdict.headline = fmt::format("250: {}{}", where, others);
        const auto trouble = std::ranges::find_if(at->events, [](const Event& event) {
            return event.what == "act" && (event.name == "maildir" || event.name == "mailbox") && !event.value.empty();
        });
        if (trouble != at->events.end()) {
            verdict.status = refused;
            verdict.headline = fmt::format("250: accepted, then returned to the sender: <{}>: 5.2.0 {}: {}{}",
                                           worst->address, trouble->where, trouble->value, others);
        }
        break;
    }
    }
    verdict.because = fmt::format("transport {}{}", at->transport,
                                  at->transport_at.file.empty() ? "" : ", " + at->transport_at.text());
    return verdict;
}

}  // namespace ekiden::explain
