#include "tools/smtp_sink_session.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cstring>

namespace ekiden::tools {

namespace {

constexpr std::size_t longest_command = 2048;
constexpr std::size_t most_kept_recipients = 10'000;
constexpr std::string_view end_of_content = "\r\n.\r\n";

struct VerbRow {
    std::string_view name;
    SinkVerb verb;
};
constexpr VerbRow verbs[] = {
    {"CONNECT", SinkVerb::connect}, {"HELO", SinkVerb::helo}, {"EHLO", SinkVerb::ehlo},
    {"LHLO", SinkVerb::lhlo},       {"XCLIENT", SinkVerb::xclient}, {"XFORWARD", SinkVerb::xforward},
    {"AUTH", SinkVerb::auth},       {"MAIL", SinkVerb::mail}, {"RCPT", SinkVerb::rcpt},
    {"DATA", SinkVerb::data},       {".", SinkVerb::dot},     {"RSET", SinkVerb::rset},
    {"NOOP", SinkVerb::noop},       {"VRFY", SinkVerb::vrfy}, {"QUIT", SinkVerb::quit},
    {"STARTTLS", SinkVerb::starttls},
};
static_assert(std::size(verbs) == sink_verb_count);

// -W command:delay:odds: the delay once, and once more each time the dice say so.
int roll_delay(const SinkTreatment& treatment)
{
    int times = 1;
    while (times < 1000 && treatment.delay_odds > 0 &&
           base::random_below(100) < static_cast<std::uint64_t>(treatment.delay_odds))
        ++times;
    return times * treatment.delay_seconds;
}

// "a@b" of "<a@b> NOTIFY=NEVER".
std::string_view bare_address(std::string_view path)
{
    if (!path.starts_with('<')) return path.substr(0, path.find(' '));
    bool is_quoted = false;
    for (std::size_t i = 1; i < path.size(); ++i) {
        if (path[i] == '\\') ++i;
        else if (path[i] == '"') is_quoted = !is_quoted;
        else if (path[i] == '>' && !is_quoted) return path.substr(1, i - 1);
    }
    return path.substr(1);
}

}  // namespace

std::optional<SinkVerb> find_sink_verb(std::string_view name)
{
    for (const VerbRow& row : verbs)
        if (base::equal_ignoring_case(row.name, name)) return row.verb;
    return std::nullopt;
}

SinkSession::Next SinkSession::start(std::string& out) { return treat(SinkVerb::connect, {}, out); }

SinkSession::Next SinkSession::receive(std::string_view bytes, std::string& out)
{
    if (left_.empty()) return process(bytes, out);
    std::string joined = std::exchange(left_, {});
    joined += bytes;
    return process(joined, out);
}

SinkSession::Next SinkSession::resume(std::string& out)
{
    Next next = Next::read;
    switch (std::exchange(after_, After::nothing)) {
    case After::command: next = answer(delayed_verb_, delayed_argument_, out); break;
    case After::abort: reply("550 This violates SMTP", out); return Next::close;
    case After::read_content:
    case After::nothing: break;
    }
    if (next != Next::read) return next;
    const std::string waiting = std::exchange(left_, {});
    return process(waiting, out);
}

// What was said in clear text does not count (RFC 3207 4.2).
void SinkSession::tls_started()
{
    is_encrypted_ = true;
    left_.clear();
    login_.forget();
    forget_transaction();
    envelope_ = {};
}

SinkSession::Next SinkSession::process(std::string_view bytes, std::string& out)
{
    for (;;) {
        if (mode_ == Mode::content) {
            if (auto next = process_content(bytes, out); next && *next != Next::read) return *next;
            if (mode_ == Mode::content) return Next::read;
        }
        const std::size_t end = bytes.find("\r\n");
        if (end == bytes.npos || end > longest_command) {
            if (std::min(end, bytes.size()) > longest_command) {
                if (observer_) observer_->on_trouble("command line too long");
                return Next::close;
            }
            left_ = bytes;
            return Next::read;
        }
        const Next next = on_line(bytes.substr(0, end), out);
        bytes.remove_prefix(end + 2);
        if (next == Next::read) continue;
        left_ = bytes;
        return next;
    }
}

// Leaves in `bytes` what follows the message. Nothing: the message goes on, and all bytes are used or kept.
std::optional<SinkSession::Next> SinkSession::process_content(std::string_view& bytes, std::string& out)
{
    // The CR LF that ends the DATA command is the one before an immediate dot.
    if (is_content_start_) {
        constexpr std::string_view empty_message = end_of_content.substr(2);
        if (bytes.starts_with(empty_message)) {
            bytes.remove_prefix(empty_message.size());
            return end_content(out);
        }
        if (empty_message.starts_with(bytes)) {
            left_ = bytes;
            bytes = {};
            return std::nullopt;
        }
        is_content_start_ = false;
    }

    const void* found = ::memmem(bytes.data(), bytes.size(), end_of_content.data(), end_of_content.size());
    if (found) {
        const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
        const bool is_kept = keep_content(bytes.substr(0, at + 2));
        bytes.remove_prefix(at + end_of_content.size());
        if (!is_kept) return Next::fail;
        const Next next = end_content(out);
        if (next != Next::read) left_ = bytes;
        return next;
    }
    // The end may be cut in two by a read: its beginning waits.
    const std::size_t sure = bytes.size() - std::min(bytes.size(), end_of_content.size() - 1);
    const bool is_kept = keep_content(bytes.substr(0, sure));
    left_ = bytes.substr(sure);
    bytes = {};
    return is_kept ? std::optional<Next>() : Next::fail;
}

bool SinkSession::keep_content(std::string_view bytes)
{
    if (scan_) scan_->add(bytes);
    if (!dump_) return true;
    auto written = dump_->content(bytes);
    if (!written) trouble_ = written.error().text();
    return written.has_value();
}

SinkSession::Next SinkSession::on_line(std::string_view line, std::string& out)
{
    if (login_.is_waiting()) {
        reply(login_.go_on(settings_.user, line), out);
        return Next::read;
    }
    std::string_view text = line;
    while (!text.empty() && base::is_space(text.front())) text.remove_prefix(1);
    const std::size_t end = std::min(text.find_first_of(" \t\r\n\v\f"), text.size());
    const std::string_view name = text.substr(0, end);
    std::string_view argument = text.substr(end);
    while (!argument.empty() && base::is_space(argument.front())) argument.remove_prefix(1);

    const auto verb = name.empty() ? std::nullopt : find_sink_verb(name);
    const bool is_known_verb = verb && *verb != SinkVerb::connect && is_known(*verb);
    if (observer_) observer_->on_command(line, is_known_verb && settings_.treatment(*verb).is_logged);
    if (!is_known_verb) {
        reply(name.empty() ? "500 5.5.2 Error: unknown command" : "500 5.5.1 Error: unknown command", out);
        return Next::read;
    }
    return treat(*verb, argument, out);
}

bool SinkSession::is_known(SinkVerb verb) const
{
    switch (verb) {
    case SinkVerb::helo: return !settings_.is_lmtp;
    case SinkVerb::ehlo: return !settings_.is_lmtp && !settings_.hides_esmtp;
    case SinkVerb::lhlo: return settings_.is_lmtp;
    case SinkVerb::xclient: return settings_.announces_xclient;
    case SinkVerb::xforward: return settings_.announces_xforward;
    case SinkVerb::starttls: return settings_.offers_starttls;
    default: return true;
    }
}

SinkSession::Next SinkSession::treat(SinkVerb verb, std::string_view argument, std::string& out)
{
    const SinkTreatment& treatment = settings_.treatment(verb);
    if (treatment.delay_seconds > 0) {
        delayed_verb_ = verb;
        delayed_argument_ = argument;
        return pause(roll_delay(treatment), After::command);
    }
    return answer(verb, argument, out);
}

SinkSession::Next SinkSession::pause(int seconds, After after)
{
    pause_seconds_ = seconds;
    after_ = after;
    return Next::pause;
}

SinkSession::Next SinkSession::answer(SinkVerb verb, std::string_view argument, std::string& out)
{
    const SinkTreatment& treatment = settings_.treatment(verb);
    if (treatment.hangs_up) return Next::close;
    if (treatment.hangs_up_politely) {
        reply("421 4.0.0 Server closing connection", out);
        return Next::close;
    }
    if (treatment.fails_hard || treatment.fails_softly) {
        const std::string& refusal = treatment.fails_hard ? settings_.hard_reply : settings_.soft_reply;
        // LMTP answers the final dot once for each recipient (RFC 2033 4.2).
        const int times = verb == SinkVerb::dot && settings_.is_lmtp ? recipients_ : 1;
        for (int i = 0; i < times; ++i) reply(refusal, out);
        if (verb == SinkVerb::dot) forget_transaction();
        return Next::read;
    }

    switch (verb) {
    case SinkVerb::connect:
        out += "220 ";
        out += settings_.looks_like_pix ? "********" : settings_.host_name;
        reply(settings_.hides_esmtp ? "" : " ESMTP", out);
        return Next::read;
    case SinkVerb::helo:
    case SinkVerb::ehlo:
    case SinkVerb::lhlo:
        forget_transaction();
        if (keeps_envelope())
            envelope_.greet(verb == SinkVerb::helo ? "SMTP" : verb == SinkVerb::ehlo ? "ESMTP" : "LMTP", argument);
        if (verb == SinkVerb::helo)
            reply("250 " + settings_.host_name, out);
        else
            answer_ehlo(out);
        return Next::read;
    case SinkVerb::mail: return answer_mail(argument, out);
    case SinkVerb::rcpt: return answer_rcpt(argument, out);
    case SinkVerb::data: return answer_data(out);
    case SinkVerb::dot: return answer_dot(out);
    case SinkVerb::rset:
        forget_transaction();
        reply("250 2.1.0 Ok", out);
        return Next::read;
    case SinkVerb::quit:
        ++quits_;
        reply("221 Bye", out);
        return Next::close;
    case SinkVerb::starttls:
        if (is_encrypted_) {
            reply("503 5.5.1 Error: TLS is already active", out);
            return Next::read;
        }
        reply("220 2.0.0 Ready to start TLS", out);
        return Next::start_tls;
    case SinkVerb::auth: return answer_auth(argument, out);
    case SinkVerb::xclient:
    case SinkVerb::xforward:
    case SinkVerb::noop:
    case SinkVerb::vrfy: reply("250 2.0.0 Ok", out); return Next::read;
    }
    return Next::read;
}

void SinkSession::answer_ehlo(std::string& out) const
{
    reply("250-" + settings_.host_name, out);
    const struct {
        bool is_announced;
        std::string_view line;
    } extensions[] = {
        {settings_.announces_pipelining, "250-PIPELINING"},
        {settings_.announces_8bitmime, "250-8BITMIME"},
        {settings_.offers_starttls && !is_encrypted_, "250-STARTTLS"},
        {settings_.announces_auth, "250-AUTH PLAIN LOGIN"},
        {settings_.announces_xclient, "250-XCLIENT NAME HELO"},
        {settings_.announces_xforward, "250-XFORWARD NAME ADDR PROTO HELO"},
        {settings_.announces_enhanced_codes, "250-ENHANCEDSTATUSCODES"},
        {settings_.announces_dsn, "250-DSN"},
    };
    for (const auto& extension : extensions)
        if (extension.is_announced) reply(extension.line, out);
    reply("250 ", out);
}

SinkSession::Next SinkSession::answer_auth(std::string_view argument, std::string& out)
{
    if (!settings_.user) reply("250 2.0.0 Ok", out);
    else if (has_mail_) reply("503 5.5.1 Error: MAIL transaction in progress", out);
    else reply(login_.begin(settings_.user, argument), out);
    return Next::read;
}

SinkSession::Next SinkSession::answer_mail(std::string_view argument, std::string& out)
{
    if (settings_.user && !login_.is_done()) {
        reply("530 5.7.0 Authentication required", out);
        return Next::read;
    }
    if (has_mail_) {
        reply("503 5.5.1 Error: nested MAIL command", out);
        return Next::read;
    }
    has_mail_ = true;
    if (keeps_envelope()) envelope_.sender = DumpEnvelope::path_of(argument);
    reply("250 2.1.0 Ok", out);
    return Next::read;
}

SinkSession::Next SinkSession::answer_rcpt(std::string_view argument, std::string& out)
{
    if (!has_mail_) {
        reply("503 5.5.1 Error: need MAIL command", out);
        return Next::read;
    }
    if (keeps_envelope() && envelope_.recipients.size() >= most_kept_recipients) {
        reply("452 4.5.3 Error: too many recipients", out);
        return Next::read;
    }
    ++recipients_;
    if (keeps_envelope()) envelope_.recipients.emplace_back(DumpEnvelope::path_of(argument));
    reply("250 2.1.5 Ok", out);
    return Next::read;
}

SinkSession::Next SinkSession::answer_data(std::string& out)
{
    if (recipients_ == 0) {
        reply("503 5.5.1 Error: need RCPT command", out);
        return Next::read;
    }
    if (settings_.dump) {
        auto dump = Dump::open(settings_.dump, envelope_, client_, settings_.host_name);
        if (!dump) {
            trouble_ = dump.error().text();
            return Next::fail;
        }
        dump_ = std::move(*dump);
    }
    if (settings_.ledger) scan_.emplace();
    mode_ = Mode::content;
    is_content_start_ = true;
    reply("354 End data with <CR><LF>.<CR><LF>", out);
    if (settings_.abort_delay) return pause(*settings_.abort_delay, After::abort);
    if (settings_.data_read_delay > 0) return pause(settings_.data_read_delay, After::read_content);
    return Next::read;
}

SinkSession::Next SinkSession::end_content(std::string& out)
{
    mode_ = Mode::commands;
    if (dump_) {
        auto finished = dump_->finish();
        dump_.reset();
        if (!finished) {
            trouble_ = finished.error().text();
            return Next::fail;
        }
    }
    ++messages_;
    if (observer_) observer_->on_command(".", settings_.treatment(SinkVerb::dot).is_logged);
    return treat(SinkVerb::dot, {}, out);
}

// Only what is accepted: a message that is refused here comes again.
void SinkSession::write_ledger()
{
    const std::string digest = scan_->id().empty() ? "-" : scan_->digest();
    const std::string_view kind = scan_->id().empty() ? "unmarked" : "received";
    const std::string_view id = scan_->id().empty() ? "-" : std::string_view(scan_->id());
    for (const std::string& path : envelope_.recipients) settings_.ledger->add(kind, digest, id, bare_address(path));
    scan_.reset();
}

SinkSession::Next SinkSession::answer_dot(std::string& out)
{
    if (scan_) {
        write_ledger();
        if (auto written = settings_.ledger->flush(); !written) {
            trouble_ = written.error().text();
            return Next::fail;
        }
    }
    if (settings_.is_lmtp)
        for (int i = 0; i < recipients_; ++i) reply("250 2.2.0 Ok", out);
    else
        reply("250 2.0.0 Ok", out);
    forget_transaction();
    return Next::read;
}

void SinkSession::forget_transaction()
{
    has_mail_ = false;
    recipients_ = 0;
    scan_.reset();
    envelope_.sender.clear();
    envelope_.recipients.clear();
}

}  // namespace ekiden::tools
