#include "report/notice.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mime/date.hpp"

#include <algorithm>

namespace ekiden::report {
namespace {

using deliver::Outcome;

// Control characters could end a line or a part of the report.
std::string clean(std::string_view text)
{
    std::string out(text);
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
    }
    return out;
}

const mail::Recipient& recipient_of(const Notice& notice, const Outcome& outcome)
{
    return notice.envelope->recipients.at(outcome.recipient);
}

std::string address_of(const Notice& notice, const Outcome& outcome)
{
    return mail::quote_address(outcome.recipient_address.empty() ? recipient_of(notice, outcome).address
                                                                 : outcome.recipient_address);
}

std::string original_of(const Notice& notice, const Outcome& outcome)
{
    const bool is_own = !outcome.recipient_address.empty() && !outcome.original_address.empty();
    return mail::quote_address(is_own ? outcome.original_address : recipient_of(notice, outcome).original);
}

bool tells_way(NoticeKind kind) { return kind == NoticeKind::success || kind == NoticeKind::status; }

// What happened, for people and for X-Postfix diagnostics.
std::string reason(const Notice& notice, const Outcome& outcome)
{
    const std::string text = clean(outcome.status.text);
    if (!tells_way(notice.kind) || outcome.relay.empty() || outcome.relay == "none") return text;
    return fmt::format("delivery via {}: {}", clean(outcome.relay), text);
}

std::string action(const Notice& notice, const Outcome& outcome)
{
    if (notice.envelope->only_asks()) return outcome.kind == Outcome::Kind::delivered ? "deliverable" : "undeliverable";
    if (!outcome.action.empty()) return outcome.action;
    switch (notice.kind) {
        case NoticeKind::failure: return "failed";
        case NoticeKind::delay: return "delayed";
        case NoticeKind::success: return outcome.remote_mta.empty() ? "delivered" : "relayed";
        case NoticeKind::status:
            return outcome.kind == Outcome::Kind::delivered ? (outcome.remote_mta.empty() ? "delivered" : "relayed")
                   : outcome.kind == Outcome::Kind::deferred ? "delayed" : "failed";
    }
    return "failed";
}

std::string for_person(const Notice& notice, const Outcome& outcome)
{
    const std::string address = clean(address_of(notice, outcome)), original = clean(original_of(notice, outcome));
    std::string line = fmt::format("<{}>", address);
    if (!original.empty() && !base::equal_ignoring_case(original, address))
        line += fmt::format(" (expanded from <{}>)", original);
    line += ": " + reason(notice, outcome);
    return "\n" + fold_words(base::trim_right(line)) + "\n";
}

// RFC 6533: what an address of plain ASCII is called needs no new name.
std::string_view type_of(std::string_view address, bool is_utf8)
{
    return is_utf8 && !base::is_ascii(address) ? "utf-8" : "rfc822";
}

std::string for_machine(const Notice& notice, const Outcome& outcome, std::size_t position)
{
    const bool is_utf8 = notice.envelope->is_smtputf8;
    const std::string final_address = clean(address_of(notice, outcome));
    std::string out = fmt::format("\nFinal-Recipient: {}; {}\n", type_of(final_address, is_utf8), final_address);
    const mail::Recipient& recipient = recipient_of(notice, outcome);
    std::string original = recipient.dsn_original;
    if (original.empty()) {
        const std::string given =
            position < notice.original_recipients.size() ? notice.original_recipients[position] : std::string();
        original = given.empty() ? address_of(notice, outcome) : mail::quote_address(given);
        original.insert(0, std::string(type_of(original, is_utf8)) + ";");
    }
    out += fmt::format("Original-Recipient: {}\n", clean(original));
    out += fmt::format("Action: {}\n", action(notice, outcome));
    out += fmt::format("Status: {}\n", outcome.status.code);
    if (!outcome.remote_mta.empty()) out += fmt::format("Remote-MTA: dns; {}\n", clean(outcome.remote_mta));
    if (outcome.diagnostic_type.empty()) {
        std::string line = fmt::format("Diagnostic-Code: X-{}; {}", notice.mail_name, reason(notice, outcome));
        out += fold_words(base::trim_right(line)) + "\n";
    } else {
        const std::string& text = outcome.diagnostic_text.empty() ? outcome.status.text : outcome.diagnostic_text;
        std::string line = fmt::format("Diagnostic-Code: {}; {}", clean(outcome.diagnostic_type), clean(text));
        out += fold_words(base::trim_right(line)) + "\n";
    }
    if (notice.kind == NoticeKind::delay)
        out += fmt::format("Will-Retry-Until: {}\n",
                           mime::format_date(notice.envelope->arrived_at + notice.queue_lifetime));
    return out;
}

// Names of the third part, by what it holds and why.
std::string_view part_name(const Notice& notice)
{
    if (tells_way(notice.kind)) return notice.returns_headers_only ? "Message Headers" : "Message";
    return notice.returns_headers_only ? "Undelivered Message Headers" : "Undelivered Message";
}

}  // namespace

std::string fold_words(std::string_view text, std::size_t width)
{
    constexpr std::string_view indent = "    ";
    std::string out;
    std::size_t room = width;
    while (text.size() > room) {
        // The last blank at which the line still fits; words that are too long stay whole.
        std::size_t at = text.rfind(' ', room);
        if (at == std::string_view::npos || at == 0) at = text.find(' ', room);
        if (at == std::string_view::npos) break;
        out.append(text.substr(0, at)).append("\n").append(indent);
        text.remove_prefix(at);
        while (text.starts_with(' ')) text.remove_prefix(1);
        room = width - indent.size();
    }
    out.append(text);
    return out;
}

NoticeText format_notice(const Notice& notice)
{
    const mail::Envelope& original = *notice.envelope;
    const bool is_utf8 = original.is_smtputf8;
    const std::string boundary =
        fmt::format("{}.{}/{}", mail::format(original.id), base::to_seconds(notice.now), notice.myhostname);
    const std::string sender =
        clean(mail::quote_address(original.sender.empty() ? notice.null_sender_name : original.sender));
    std::string out;
    auto part = [&](std::string_view description, std::string_view type) {
        out += fmt::format("\n--{}\nContent-Description: {}\nContent-Type: {}\n", boundary, description, type);
    };

    out += fmt::format("Date: {}\nFrom: {}\nSubject: {}\nTo: {}\n", mime::format_date(notice.now), notice.from,
                       notice.subject, notice.to);
    if (!notice.message_id.empty()) out += fmt::format("References: {0}\nIn-Reply-To: {0}\n", notice.message_id);
    out += fmt::format("Auto-Submitted: {}\n", notice.is_postmaster_copy ? "auto-generated" : "auto-replied");
    out += fmt::format("MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"{}\"\n",
                       boundary);
    out += "Content-Transfer-Encoding: 8bit\n\nThis is a MIME-encapsulated message.\n";

    part("Notification", "text/plain; charset=" + notice.charset);
    out += "Content-Transfer-Encoding: 8bit\n\n";
    if (!notice.is_postmaster_copy) out += notice.text;
    for (const Outcome& outcome : *notice.outcomes) out += for_person(notice, outcome);

    part("Delivery report", is_utf8 ? "message/global-delivery-status" : "message/delivery-status");
    if (is_utf8) out += "Content-Transfer-Encoding: 8bit\n";
    out += fmt::format("\nReporting-MTA: dns; {}\n", notice.myhostname);
    if (!original.dsn_envid.empty()) out += fmt::format("Original-Envelope-Id: {}\n", clean(original.dsn_envid));
    out += fmt::format("X-{}-Queue-ID: {}\n", notice.mail_name, mail::format(original.id));
    if (!sender.empty())
        out += fmt::format("X-{}-Sender: {}; {}\n", notice.mail_name, type_of(sender, is_utf8), sender);
    out += fmt::format("Arrival-Date: {}\n", mime::format_date(original.arrived_at));
    for (std::size_t i = 0; i < notice.outcomes->size(); ++i) out += for_machine(notice, (*notice.outcomes)[i], i);

    const std::string_view type = notice.returns_headers_only
                                      ? (is_utf8 ? "message/global-headers" : "text/rfc822-headers")
                                      : (is_utf8 ? "message/global" : "message/rfc822");
    part(part_name(notice), type);
    out += fmt::format("Content-Transfer-Encoding: 8bit\n\nReturn-Path: <{}>\n", sender);
    return {std::move(out), fmt::format("\n--{}--\n", boundary)};
}

}  // namespace ekiden::report
