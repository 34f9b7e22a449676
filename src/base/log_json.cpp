#include "base/log_json.hpp"

#include "base/json_text.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <iterator>

namespace ekiden::base {

namespace {

enum class Kind { text, number };
struct Name {
    std::string_view in_line, in_record;
    Kind kind = Kind::text;
};
// name=value pairs that are told apart. "status" ends a list: its reason follows in parentheses.
constexpr Name names[] = {
    {"client", "client"}, {"orig_client", "orig_client"}, {"orig_queue_id", "orig_queue_id"}, {"sasl_method", "sasl_method"},
    {"sasl_username", "sasl_username"}, {"sasl_sender", "sasl_sender"}, {"message-id", "message_id"}, {"resent-message-id", "resent_message_id"},
    {"from", "from"}, {"to", "to"}, {"orig_to", "orig_to"}, {"relay", "relay"}, {"conn_use", "conn_use", Kind::number}, {"delay", "delay", Kind::number},
    {"delays", "delays"}, {"dsn", "dsn"}, {"status", "status"}, {"size", "size", Kind::number}, {"nrcpt", "nrcpt", Kind::number},
    {"uid", "uid", Kind::number}, {"proto", "proto"}, {"helo", "helo"},
};
constexpr std::string_view level_names[] = {"debug", "info", "warning", "error", "fatal", "panic"};
constexpr std::string_view no_queue_id = "NOQUEUE";
constexpr std::size_t max_queue_id = 20, min_queue_id = 6, max_number = 15;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Not "Deleted: 1 message" and other words in front of a colon: an id is of capital hexadecimal digits, or long with digits in it.
bool is_queue_id(std::string_view text)
{
    if (text == no_queue_id) return true;
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return text.size() >= min_queue_id && text.size() <= max_queue_id &&
           (std::ranges::any_of(text, is_digit) ||
            std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'F'; }));
}

bool is_number(std::string_view text)
{
    if (text.empty() || text.size() > max_number) return false;
    const std::size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point), rest = point == text.npos ? "0" : text.substr(point + 1);
    const auto are_digits = [](std::string_view part) {
        return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    };
    return are_digits(whole) && are_digits(rest) && (whole.size() == 1 || whole[0] != '0');
}

bool take(std::string_view& text, std::string_view start)
{
    if (!text.starts_with(start)) return false;
    text.remove_prefix(start.size());
    return true;
}

class Record {
public:
    void add(std::string_view name, std::string_view value, Kind kind = Kind::text)
    {
        out_ += out_.empty() ? "{\"" : ",\"";
        out_.append(name).append("\":");
        if (kind == Kind::number && is_number(value)) out_ += value;
        else out_ += json_text(value);
    }
    void add_raw(std::string_view name, std::string_view value)
    {
        (((out_ += out_.empty() ? "{\"" : ",\"") += name) += "\":") += value;
    }
    // "mail.test[192.0.2.1]:25", up to the end; false where that is no peer
    void add_client(std::string_view peer)
    {
        const std::size_t open = peer.find('['), close = peer.find(']');
        if (open == peer.npos || close == peer.npos || close < open) return;
        add("client_name", peer.substr(0, open));
        add("client_address", peer.substr(open + 1, close - open - 1));
    }
    // name=value, name=<value> …; returns what is left.
    std::string_view add_pairs(std::string_view text)
    {
        while (!text.empty()) {
            const std::size_t equals = text.find('=');
            const auto* name = std::ranges::find(names, text.substr(0, equals), &Name::in_line);
            if (equals == text.npos || name == std::end(names)) return text;
            text.remove_prefix(equals + 1);
            const std::string_view value = cut_value(text);
            if (const unsigned bit = 1U << (name - names); !(seen_ & bit)) {
                seen_ |= bit;
                add(name->in_record, value, name->kind);
            }
            if (name->in_line == "status") return text;
        }
        return text;
    }
    std::string finish() { return std::move(out_ += '}'); }

private:
    // The separator after it goes too. A quoted local part (RFC 5321 4.1.2) may hold all that separates.
    static std::string_view cut_value(std::string_view& text)
    {
        if (text.starts_with('<')) {
            std::size_t begin = 1;
            if (text.substr(1).starts_with('"')) {
                for (begin = 2; begin < text.size() && text[begin] != '"'; ++begin) begin += text[begin] == '\\';
            }
            for (std::size_t end = text.find('>', begin); end != text.npos; end = text.find('>', end + 1)) {
                const std::string_view rest = text.substr(end + 1);
                if (!rest.empty() && rest[0] != ' ' && rest[0] != ',') continue;
                const std::string_view value = text.substr(1, end - 1);
                text = rest;
                if (!take(text, ", ")) (void)(take(text, " ") || take(text, ","));
                return value;
            }
        }
        const std::size_t end = std::min(text.find(", "), text.find(' '));
        const std::string_view value = text.substr(0, end);
        text.remove_prefix(std::min(value.size(), text.size()));
        if (!take(text, ", ")) (void)take(text, " ");
        return value;
    }
    std::string out_;
    unsigned seen_ = 0;
    static_assert(std::size(names) <= 32);
};

// Which event a line with a queue id is, by what it begins with, and what else there is to say of it.
constexpr std::pair<std::string_view, std::string_view> pairs_of_message[] = {
    {"client=", "client"}, {"message-id=", "message-id"}, {"resent-message-id=", "message-id"}, {"uid=", "pickup"}, {"to=<", "delivery"}, {"from=<", "queue"},
};
constexpr std::string_view decisions[] = {"reject", "reject_warning", "milter-reject", "milter-hold", "milter-discard",
                                          "hold",   "discard",        "filter",        "redirect",    "warning",
                                          "info",   "prepend",        "replace",       "strip",       "delay",
                                          "bcc",    "pass",           "permit",        "trigger"};
constexpr std::string_view broken_off[] = {"lost connection after ", "timeout after ", "too many errors after ",
                                           "improper command pipelining after "};

// "(reason)" at the end of a line
void add_reason(Record& record, std::string_view rest)
{
    if (rest.size() >= 2 && rest.starts_with('(') && rest.ends_with(')'))
        record.add("text", rest.substr(1, rest.size() - 2));
    else if (!rest.empty()) record.add("text", rest);
}

// "RCPT from mail.test[192.0.2.1]: 550 5.1.1 …; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<x>"
void add_decision(Record& record, std::string_view text)
{
    const std::size_t from = text.find(" from ");
    const std::size_t peer_end = from == text.npos ? text.npos : text.find("]", from);
    const std::size_t tail = text.rfind("; from=<");
    if (peer_end != text.npos && (tail == text.npos || peer_end < tail)) {
        record.add("stage", text.substr(0, from));
        record.add_client(text.substr(from + 6, peer_end + 1 - from - 6));
    }
    const std::size_t reason = peer_end == text.npos ? text.npos : text.find(": ", peer_end);
    if (reason != text.npos && (tail == text.npos || reason < tail))
        record.add("text", text.substr(reason + 2, tail == text.npos ? tail : tail - reason - 2));
    if (tail != text.npos) (void)record.add_pairs(text.substr(tail + 2));
}

void add_message_event(Record& record, std::string_view text)
{
    if (text == "removed") return record.add("event", "removed");
    for (const auto& [start, event] : pairs_of_message) {
        if (!text.starts_with(start)) continue;
        const bool is_expired = event == "queue" && (text.ends_with(", status=expired, returned to sender") ||
                                                     text.ends_with(", status=force-expired, returned to sender"));
        record.add("event", is_expired ? "expired" : event);
        return add_reason(record, record.add_pairs(text));
    }
    for (const std::string_view word : decisions) {
        if (text.size() > word.size() + 2 && text.starts_with(word) && text.substr(word.size(), 2) == ": ") {
            record.add("event", word);
            return add_decision(record, text.substr(word.size() + 2));
        }
    }
    if (const std::size_t at = text.find(" notification: "); at != text.npos && text.starts_with("sender ")) {
        record.add("event", "notification");
        record.add("notification", text.substr(7, at - 7));
        return record.add("notification_id", text.substr(at + 15));
    }
    record.add("event", "message");
}

void add_session_event(Record& record, std::string_view text)
{
    std::string_view rest = text;
    if (take(rest, "connect from ")) {
        record.add("event", "connect");
        return record.add_client(rest);
    }
    if (take(rest, "disconnect from ")) {
        record.add("event", "disconnect");
        record.add_client(rest);
        const std::size_t end = rest.find("] ");
        return end == rest.npos ? void() : record.add("commands", rest.substr(end + 2));
    }
    for (const std::string_view start : broken_off) {
        if (!text.starts_with(start)) continue;
        record.add("event", start.substr(0, start.find(" after")));
        const std::string_view stage = text.substr(start.size());
        const std::size_t from = stage.find(" from ");
        record.add("stage", stage.substr(0, from));
        return from == stage.npos ? void() : record.add_client(stage.substr(from + 6));
    }
    if (const std::size_t at = text.find("]: SASL "); at != text.npos) {
        const std::string_view login = text.substr(at + 8);
        constexpr std::string_view failed = " authentication failed: ";
        if (const std::size_t end = login.find(failed); end != login.npos && login.find(' ') == end) {
            record.add("event", "login failure");
            record.add_client(text.substr(0, at + 1));
            record.add("sasl_method", login.substr(0, end));
            const std::string_view reason = login.substr(end + failed.size());
            const std::size_t user = reason.rfind(", sasl_username=");
            record.add("text", reason.substr(0, user));
            return user == reason.npos ? void() : record.add("sasl_username", reason.substr(user + 16));
        }
    }
    if (const std::size_t at = text.find(" TLS connection established "); at != text.npos && text.find(' ') == at) {
        record.add("event", "tls");
        record.add("trust", text.substr(0, at));
        const std::size_t end = text.find(": TLS", at);
        return end == text.npos ? void() : record.add("tls", text.substr(end + 2));
    }
    record.add("event", "message");
}

std::string rfc3339(WallTime when)
{
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
    std::time_t seconds = micros / 1'000'000;
    auto fraction = micros % 1'000'000;
    if (fraction < 0) fraction += 1'000'000, --seconds;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                       utc.tm_hour, utc.tm_min, utc.tm_sec, fraction);
}

}  // namespace

std::string json_record(const LogLine& line)
{
    Record record;
    std::string_view text = line.text.substr(0, max_json_message);
    record.add("time", rfc3339(line.when));
    record.add("host", line.host);
    record.add("service", line.tag);
    record.add_raw("pid", fmt::to_string(line.pid));
    record.add("level", level_names[static_cast<std::size_t>(line.level)]);
    const std::size_t end = static_cast<std::size_t>(std::ranges::find_if_not(text, is_word) - text.begin());
    const bool has_id = text.substr(end).starts_with(": ") && is_queue_id(text.substr(0, end));
    if (has_id && text.substr(0, end) != no_queue_id) record.add("queue_id", text.substr(0, end));
    if (has_id) add_message_event(record, text.substr(end + 2));
    else add_session_event(record, text);
    record.add("message", text);
    if (text.size() < line.text.size()) record.add_raw("cut", "true");
    return record.finish();
}

}  // namespace ekiden::base
