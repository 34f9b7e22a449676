#include "check/reply_text.hpp"

#include "base/text.hpp"
#include "base/watcher.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"
#include "mail/status.hpp"

namespace ekiden::check {

std::string_view class_of(Subject subject)
{
    switch (subject) {
        case Subject::client: return "Client host";
        case Subject::reverse_client: return "Unverified Client host";
        case Subject::helo: return "Helo command";
        case Subject::sender: return "Sender address";
        case Subject::recipient: return "Recipient address";
        case Subject::sasl_login: return "SASL login name";
        case Subject::client_certificate: return "Client certificate";
        case Subject::data: return "Data command";
        case Subject::end_of_data: return "End-of-data";
        case Subject::etrn: return "Etrn command";
    }
    return "";
}

std::string name_of(const Facts& facts, Subject subject)
{
    switch (subject) {
        case Subject::client:
        case Subject::client_certificate: return facts.client_label();
        case Subject::reverse_client: return facts.reverse_client_name;
        case Subject::helo: return facts.helo_name;
        case Subject::sender: return facts.sender;
        case Subject::recipient: return facts.recipient;
        case Subject::sasl_login: return facts.sasl_username;
        case Subject::data: return "DATA";
        case Subject::end_of_data: return "END-OF-MESSAGE";
        case Subject::etrn: return facts.etrn_domain;
    }
    return {};
}

std::string_view verb_of(const Evaluation& evaluation)
{
    if (!evaluation.facts.command.empty()) return evaluation.facts.command;
    switch (evaluation.stage) {
        case Stage::connect: return "CONNECT";
        case Stage::helo: return evaluation.facts.protocol == "SMTP" ? "HELO" : "EHLO";
        case Stage::mail: return "MAIL";
        case Stage::rcpt: return "RCPT";
        case Stage::data: return "DATA";
        case Stage::end_of_data: return "END-OF-MESSAGE";
        case Stage::etrn: return "ETRN";
        case Stage::vrfy: return "VRFY";
    }
    return "";
}

// x.1.y speaks of an address; which one depends on whom the refusal is about.
std::string fit_enhanced(const Logger& logger, std::string_view enhanced, Subject subject, int code)
{
    if (enhanced.empty()) return {};
    const std::string_view detail = enhanced.substr(1);
    std::string_view fitted = detail;
    if (detail.starts_with(".1.")) {
        if (subject == Subject::sender) {
            if (detail == ".1.2") fitted = ".1.8";
            else if (detail.size() == 4 && detail[3] >= '1' && detail[3] <= '6') fitted = ".1.7";
        } else if (subject == Subject::recipient) {
            if (detail == ".1.8") fitted = ".1.2";
            else if (detail == ".1.7") fitted = ".1.3";
        } else {
            fitted = ".0.0";
        }
    }
    if (fitted != detail)
        logger.info("mapping DSN status {} into {} status {}{}", enhanced, class_of(subject), enhanced[0], fitted);
    return fmt::format("{}{}", code / 100, fitted);
}

namespace {

void soften(Refusal& refusal)
{
    if (refusal.code < 500 || refusal.code > 599) return;
    refusal.code -= 100;
    if (!refusal.enhanced.empty()) refusal.enhanced[0] = '4';
}

std::string reply_line(const Refusal& refusal)
{
    if (refusal.enhanced.empty()) return fmt::format("{} {}", refusal.code, refusal.text);
    return fmt::format("{} {} {}", refusal.code, refusal.enhanced, refusal.text);
}

void tell_watcher(std::string_view what, const Refusal& refusal)
{
    if (base::Watcher* watcher = base::watcher()) watcher->note(what, {}, {}, reply_line(refusal));
}

}  // namespace

Refusal rejected(const Evaluation& evaluation, Subject subject, int code, std::string_view enhanced,
                 std::string_view text, Fault fault)
{
    return {fault, code, fit_enhanced(evaluation.data.logger, enhanced, subject, code),
            fmt::format("<{}>: {} rejected: {}", name_of(evaluation.facts, subject), class_of(subject), text)};
}

Refusal lookup_failure(const Evaluation& evaluation, Subject subject)
{
    return {Fault::data, 451, "4.3.0",
            fmt::format("<{}>: Temporary lookup failure", name_of(evaluation.facts, subject))};
}

Refusal configuration_error() { return {Fault::software, 451, "4.3.5", "Server configuration error"}; }

Task<void> log_permit(const Evaluation& evaluation, std::string_view action, Subject subject, std::string_view table)
{
    const auto& logged = evaluation.data.logged_permits;
    if (logged.is_empty()) co_return;
    const auto is_logged = co_await logged.matches_name(std::string(action));
    if (!is_logged.value_or(false)) co_return;
    log_event(evaluation, "permit",
              fmt::format("action={} for {}={} {}{}", action, class_of(subject), name_of(evaluation.facts, subject),
                          table.empty() ? "" : "from ", table));
}

void warn_of_trouble(const Evaluation& evaluation, const Error& error)
{
    const std::string& text = error.text();
    if (text.find(" lookup error for ") != std::string::npos) return;
    evaluation.data.resolver_logger.warning("{}", text);
    // "relay_domains: hash:/x: table lookup problem" names the parameter first.
    if (const std::size_t colon = text.find(": "); colon != std::string::npos && text.find(' ') > colon)
        evaluation.data.resolver_logger.warning("{} lookup failure", text.substr(0, colon));
}

void log_event(const Evaluation& evaluation, std::string_view what, std::string_view text)
{
    const Facts& facts = evaluation.facts;
    std::string line = fmt::format("{}: {}: {} from {}: {}", facts.queue_id.empty() ? "NOQUEUE" : facts.queue_id, what,
                                   verb_of(evaluation), facts.client_label(), text);
    std::string_view separator = "; ";
    auto add = [&](std::string_view name, const std::string& value) {
        line.append(separator).append(name).append(value);
        separator = " ";
    };
    if (facts.has_sender) add("from=<", mail::log_address(facts.sender) + ">");
    // After DATA the line names the recipient only if there is just one.
    const bool is_about_all = evaluation.stage == Stage::data || evaluation.stage == Stage::end_of_data;
    const std::string* recipient =
        is_about_all ? (facts.recipients.size() == 1 ? &facts.recipients.front() : nullptr) : &facts.recipient;
    if (recipient && !recipient->empty()) add("to=<", mail::log_address(*recipient) + ">");
    if (!facts.protocol.empty()) add("proto=", facts.protocol);
    if (!facts.helo_name.empty()) add("helo=<", facts.helo_name + ">");
    evaluation.data.logger.info("{}", line);
}

Step refuse(Evaluation& evaluation, Refusal refusal)
{
    const bool is_our_fault =
        refusal.fault == Fault::software || refusal.fault == Fault::resource || refusal.fault == Fault::data;
    if (evaluation.only_warns && !is_our_fault) {
        tell_watcher("reject_warning", refusal);
        log_event(evaluation, "reject_warning", reply_line(refusal));
        return Step::dunno;
    }
    // Where a permit would be deferred too, that is the reason to tell.
    if (refusal.code >= 500 && evaluation.defer_if_reject)
        refusal = evaluation.defer_if_permit ? *evaluation.defer_if_permit : *evaluation.defer_if_reject;
    if (evaluation.options().is_soft_bounce) soften(refusal);

    Verdict& verdict = evaluation.verdict;
    verdict.action = Verdict::Action::reject;
    verdict.fault = refusal.fault;
    verdict.must_disconnect = refusal.code == 421 || refusal.code == 521;
    verdict.log_text = reply_line(refusal);
    tell_watcher("reject", refusal);
    log_event(evaluation, "reject", verdict.log_text);
    verdict.reply = refusal.enhanced.empty()
                        ? smtp::Reply(refusal.code, std::move(refusal.text))
                        : smtp::Reply(refusal.code, std::move(refusal.enhanced), std::move(refusal.text));
    return Step::reject;
}

Step defer_if_permit(Evaluation& evaluation, Refusal refusal)
{
    tell_watcher(evaluation.only_warns ? "reject_warning" : "defer_if_permit", refusal);
    if (evaluation.only_warns) log_event(evaluation, "reject_warning", reply_line(refusal));
    else if (!evaluation.defer_if_permit) evaluation.defer_if_permit = std::move(refusal);
    return Step::dunno;
}

Step defer_if_reject(Evaluation& evaluation, Refusal refusal)
{
    tell_watcher("defer_if_reject", refusal);
    if (!evaluation.defer_if_reject) evaluation.defer_if_reject = std::move(refusal);
    return Step::dunno;
}

std::pair<std::string, std::string> split_enhanced(std::string_view text, std::string_view fallback)
{
    text = base::trim(text);
    const std::size_t length = mail::enhanced_code_length(text);
    if (length == 0 || (length < text.size() && !base::is_space(text[length])))
        return {std::string(fallback), std::string(text)};
    return {std::string(text.substr(0, length)), std::string(base::trim(text.substr(length)))};
}

namespace {

// The end of a group that starts at `open` in `text` (its closing character), or npos.
std::size_t find_close(std::string_view text, std::size_t open)
{
    const char opening = text[open], closing = opening == '{' ? '}' : ')';
    int level = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        if (text[i] == opening) ++level;
        else if (text[i] == closing && --level == 0) return i;
    }
    return std::string_view::npos;
}

constexpr bool is_name_char(char c) { return base::is_alnum(c) || c == '_'; }

// The two branches of `name?yes`, `name:no`, `name?{yes}:{no}`.
std::pair<std::string_view, std::string_view> branches(std::string_view rest)
{
    const char kind = rest.front();
    rest.remove_prefix(1);
    std::string_view trimmed = base::trim(rest);
    if (trimmed.starts_with('{')) {
        const std::size_t close = find_close(trimmed, 0);
        if (close != std::string_view::npos) {
            std::string_view first = trimmed.substr(1, close - 1), tail = base::trim(trimmed.substr(close + 1)), second;
            if (tail.starts_with(':')) {
                second = base::trim(tail.substr(1));
                if (second.starts_with('{') && second.ends_with('}')) second = second.substr(1, second.size() - 2);
            }
            return kind == '?' ? std::pair(first, second) : std::pair(second, first);
        }
    }
    return kind == '?' ? std::pair(rest, std::string_view()) : std::pair(std::string_view(), rest);
}

}  // namespace

std::optional<std::string> session_attribute(const Facts& facts, std::string_view name)
{
    const bool is_null_sender = facts.has_sender && facts.sender.empty();
    const std::string& address = facts.recipient.empty() && !facts.recipients.empty() ? facts.recipients.front()
                                                                                      : facts.recipient;
    const auto sender = mail::split_address(facts.sender), recipient = mail::split_address(address);
    if (name == "client") return facts.client_label();
    if (name == "client_address") return net::format_address(facts.client_address);
    if (name == "client_name") return facts.client_name;
    if (name == "client_port") return fmt::format("{}", facts.client_port);
    if (name == "reverse_client_name") return facts.reverse_client_name;
    if (name == "helo_name") return facts.helo_name;
    if (name == "sender") return is_null_sender ? "<>" : facts.sender;
    if (name == "sender_domain") return std::string(sender.domain);
    if (name == "sender_name") return is_null_sender ? "<>" : std::string(sender.local);
    if (name == "recipient") return address;
    if (name == "recipient_domain") return std::string(recipient.domain);
    if (name == "recipient_name") return std::string(recipient.local);
    return std::nullopt;
}

std::string expand_text(std::string_view pattern, const std::function<std::string(std::string_view)>& find, int depth)
{
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '$' || i + 1 == pattern.size()) {
            out += pattern[i];
            continue;
        }
        const char next = pattern[i + 1];
        if (next == '$') {
            out += '$';
            ++i;
        } else if (next == '{' || next == '(') {
            const std::size_t close = find_close(pattern, i + 1);
            if (close == std::string_view::npos) return out;
            std::string_view body = pattern.substr(i + 2, close - i - 2);
            std::size_t end = 0;
            while (end < body.size() && is_name_char(body[end])) ++end;
            std::string value = find(body.substr(0, end));
            body.remove_prefix(end);
            if (!body.empty() && (body.front() == '?' || body.front() == ':')) {
                auto [yes, no] = branches(body);
                if (depth < 8) out += expand_text(value.empty() ? no : yes, find, depth + 1);
                else out += value;
            } else {
                out += value;
            }
            i = close;
        } else if (is_name_char(next)) {
            std::size_t end = i + 1;
            while (end < pattern.size() && is_name_char(pattern[end])) ++end;
            out += find(pattern.substr(i + 1, end - i - 1));
            i = end - 1;
        } else {
            out += '$';
        }
    }
    return out;
}

}  // namespace ekiden::check
