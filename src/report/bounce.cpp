#include "report/bounce.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mime/addresses.hpp"
#include "report/notice.hpp"

#include <algorithm>

namespace ekiden::report {

using deliver::Outcome;
using Reported = Result<std::optional<mail::QueueId>>;

struct Bouncer::Data {
    config::SettingsPtr settings;
    std::shared_ptr<const rewrite::Intake> intake;
    Templates templates;
    Logger logger;
    std::string myhostname, mail_name, double_bounce_sender;
    std::string bounce_recipient, double_bounce_recipient, delay_recipient;   // postmasters
    std::uint64_t size_limit = 0, message_size_limit = 0;
    bool notifies_bounce = false, notifies_double_bounce = false, notifies_delay = false;
    bool checks_content = false, is_utf8_ready = true, is_threaded = false;
    Duration queue_lifetime{};
};

std::shared_ptr<const Bouncer> Bouncer::make(config::SettingsPtr settings,
                                             std::shared_ptr<const rewrite::Intake> intake)
{
    const config::Settings& s = *settings;
    auto data = std::make_shared<Data>();
    data->logger = Logger(s.str("syslog_name") + "/bounce");
    std::vector<std::string> problems;
    data->templates = Templates::load(s, problems);
    for (const std::string& problem : problems) data->logger.warning("{}", problem);
    data->myhostname = s.str("myhostname");
    data->mail_name = s.str("mail_name");
    std::ranges::replace(data->mail_name, ' ', '-');
    const std::string double_bounce = s.str("double_bounce_sender");
    data->double_bounce_sender =
        double_bounce.find('@') == std::string::npos ? double_bounce + "@" + data->myhostname : double_bounce;
    data->bounce_recipient = s.str("bounce_notice_recipient");
    data->double_bounce_recipient = s.str("2bounce_notice_recipient");
    data->delay_recipient = s.str("delay_notice_recipient");
    data->size_limit = static_cast<std::uint64_t>(s.integer("bounce_size_limit"));
    data->message_size_limit = static_cast<std::uint64_t>(s.integer("message_size_limit"));
    const auto classes = s.list("notify_classes");
    auto has_class = [&](std::string_view name) { return std::ranges::find(classes, name) != classes.end(); };
    data->notifies_bounce = has_class("bounce");
    data->notifies_double_bounce = has_class("2bounce");
    data->notifies_delay = has_class("delay");
    const auto filtered = s.list("internal_mail_filter_classes");
    data->checks_content = std::ranges::find(filtered, "bounce") != filtered.end();
    data->is_utf8_ready = s.boolean("smtputf8_enable");
    data->is_threaded = s.boolean("enable_threaded_bounces");
    data->queue_lifetime = s.time("maximal_queue_lifetime");
    data->intake = std::move(intake);
    data->settings = std::move(settings);
    return std::make_shared<const Bouncer>(std::move(data));
}

namespace {

// RFC 3461: who asked not to be told is not told; nothing asked means failure and delay.
bool wants(std::uint8_t notify, NoticeKind kind)
{
    if (notify & mail::notify_never) return false;
    switch (kind) {
        case NoticeKind::failure: return notify == mail::notify_default || (notify & mail::notify_failure);
        case NoticeKind::delay: return notify == mail::notify_default || (notify & mail::notify_delay);
        case NoticeKind::success: return notify & mail::notify_success;
        case NoticeKind::status: return true;
    }
    return false;
}

std::vector<Outcome> wanted(const mail::Envelope& envelope, std::vector<Outcome> outcomes, NoticeKind kind)
{
    // Who asks about addresses hears of all of them, whatever should be told of mail.
    if (envelope.purpose == mail::Purpose::verify) return outcomes;
    std::erase_if(outcomes, [&](const Outcome& outcome) {
        return !wants(envelope.recipients.at(outcome.recipient).notify, kind);
    });
    return outcomes;
}

// "MAILER-DAEMON (Mail Delivery System)" → "Mail Delivery System <MAILER-DAEMON@host>", as header_from_format = standard.
std::string format_from(const rewrite::Resolver& resolver, const std::string& words)
{
    const std::size_t open = words.find('(');
    if (open == std::string::npos || !words.ends_with(')') || words.find('<') != std::string::npos) return words;
    const std::string_view comment = std::string_view(words).substr(open + 1, words.size() - open - 2);
    const std::string address =
        resolver.complete(mail::unquote_address(base::trim(std::string_view(words).substr(0, open))), "local");
    return fmt::format("{} <{}>", mime::quote_phrase(comment), mail::quote_address(address));
}

// The returned message: whole, or its header, in the pieces it is stored in.
Task<Result<void>> copy_content(rewrite::Draft& draft, const queue::Content& content, bool takes_headers_only)
{
    const auto reader = content.open();
    bool is_at_line_start = true;
    while (true) {
        const auto piece = co_await reader->next();
        if (!piece) co_return std::unexpected(piece.error());
        if (piece->empty()) co_return Result<void>();
        std::size_t length = piece->size();
        bool is_done = false;
        for (std::size_t i = 0; takes_headers_only && i < piece->size(); ++i) {
            if (is_at_line_start && (*piece)[i] == '\n') {
                length = i;
                is_done = true;
                break;
            }
            is_at_line_start = (*piece)[i] == '\n';
        }
        draft.write(piece->substr(0, length));
        if (draft.needs_flush()) EKIDEN_CO_TRY(co_await draft.flush());
        if (is_done) co_return Result<void>();
    }
}

// The Message-ID of the message that the report is about; "" when there is none that could stand in a header of ours, or
// when it cannot be read (the report itself is what matters).
Task<std::string> find_message_id(const queue::Content& content)
{
    constexpr std::size_t search_limit = 256 << 10, longest = 998;
    constexpr std::string_view name = "message-id:";
    const auto reader = content.open();
    std::string line;
    for (std::size_t total = 0; total < search_limit;) {
        const auto piece = co_await reader->next();
        if (!piece || piece->empty()) co_return std::string();
        total += piece->size();
        for (const char c : *piece) {
            if (c != '\n') {
                if (line.size() <= longest) line += c;
                continue;
            }
            if (line.empty()) co_return std::string();
            if (base::starts_with_ignoring_case(line, name)) {
                const std::string id{base::trim(std::string_view(line).substr(name.size()))};
                const bool is_plain = std::ranges::all_of(id, [](char c) { return c > 32 && c != 127; });
                co_return is_plain&& line.size() <= longest&& id.size() > 2 && id.starts_with('<') && id.ends_with('>')
                    ? id
                    : std::string();
            }
            line.clear();
        }
    }
    co_return std::string();
}

struct Plan {
    NoticeKind kind = NoticeKind::failure;
    const Template* words = nullptr;
    bool is_postmaster_copy = false;
    bool takes_headers_only = true;
    std::string sender, recipient;       // of the notification
    std::string_view log_name;           // "sender non-delivery notification"
};

Task<Result<mail::QueueId>> send(const Bouncer::Data& data, const mail::Envelope& envelope,
                                 const queue::Content& content, const std::vector<Outcome>& outcomes, Plan plan)
{
    const rewrite::Resolver& resolver = data.intake->resolver();
    Notice notice;
    notice.kind = plan.kind;
    notice.envelope = &envelope;
    notice.outcomes = &outcomes;
    notice.is_postmaster_copy = plan.is_postmaster_copy;
    notice.returns_headers_only = plan.takes_headers_only;
    if (!plan.is_postmaster_copy) {
        std::vector<std::string> warnings;
        notice.text = expand(*plan.words, *data.settings, warnings);
        for (const std::string& warning : warnings) data.logger.warning("{}", warning);
    }
    notice.charset = data.is_utf8_ready && base::equal_ignoring_case(plan.words->charset, "us-ascii")
                         ? "utf-8"
                         : plan.words->charset;
    notice.from = format_from(resolver, plan.words->from);
    notice.subject = plan.is_postmaster_copy ? plan.words->postmaster_subject : plan.words->subject;
    notice.to = mail::quote_address(resolver.complete(plan.recipient, "local"));
    notice.myhostname = data.myhostname;
    notice.mail_name = data.mail_name;
    notice.null_sender_name = resolver.complete("MAILER-DAEMON", "local");
    notice.now = base::wall_now();
    notice.queue_lifetime = data.queue_lifetime;
    for (const Outcome& outcome : outcomes) {
        const std::string& original = envelope.recipients.at(outcome.recipient).original;
        notice.original_recipients.push_back(original.empty() ? std::string() : resolver.complete(original, "local"));
    }
    if (data.is_threaded) notice.message_id = co_await find_message_id(content);
    const NoticeText text = format_notice(notice);

    rewrite::DraftOptions options;
    options.source = rewrite::Source::bounce;
    options.checks_content = data.checks_content;
    options.size_limit = data.message_size_limit;
    options.origin.rewrite_context = "local";
    rewrite::Draft draft = data.intake->open(std::move(options));
    draft.set_sender(plan.sender);
    mail::Recipient recipient;
    recipient.address = plan.recipient;
    draft.add_recipient(std::move(recipient));
    draft.envelope().body = mail::BodyType::eight_bit;
    draft.envelope().is_smtputf8 = envelope.is_smtputf8;
    draft.write(text.before);
    EKIDEN_CO_TRY(co_await copy_content(draft, content, plan.takes_headers_only));
    draft.write(text.after);

    auto queued = co_await draft.submit();
    if (!queued)
        co_return fail(ErrorCode::unavailable,
                       fmt::format("{} {}", queued.error().status.code, queued.error().status.text));
    const mail::QueueId id = (*queued)->id;
    data.logger.info("{}: {}: {}", mail::format(envelope.id), plan.log_name, mail::format(id));
    co_return id;
}

bool is_double_bounce(const Bouncer::Data& data, const std::string& sender)
{
    return base::equal_ignoring_case(sender, data.double_bounce_sender);
}

Plan postmaster_plan(const Bouncer::Data& data, NoticeKind kind, const Template& words, const std::string& recipient,
                     std::string_view log_name)
{
    Plan plan;
    plan.kind = kind;
    plan.words = &words;
    plan.is_postmaster_copy = true;
    plan.sender = data.double_bounce_sender;
    plan.recipient = recipient;
    plan.log_name = log_name;
    return plan;
}

}  // namespace

Task<Reported> Bouncer::bounce(queue::EnvelopePtr envelope, queue::ContentPtr content,
                               std::vector<Outcome> failed) const
{
    const std::shared_ptr<const Data> data = data_;
    constexpr std::string_view to_postmaster = "postmaster non-delivery notification";
    // A notification that cannot be delivered goes to the postmaster if he wants it; one from us to him goes nowhere,
    // or two broken mailboxes would write to each other for ever.
    if (is_double_bounce(*data, envelope->sender)) {
        data->logger.warning("{}: undeliverable postmaster notification discarded", mail::format(envelope->id));
        co_return std::nullopt;
    }
    if (envelope->sender.empty()) {
        if (!data->notifies_double_bounce) co_return std::nullopt;
        Plan plan = postmaster_plan(*data, NoticeKind::failure, data->templates.failure, data->double_bounce_recipient,
                                    to_postmaster);
        plan.takes_headers_only = data->size_limit > 0 && content->size() > data->size_limit;
        auto sent = co_await send(*data, *envelope, *content, failed, std::move(plan));
        if (!sent) co_return std::unexpected(std::move(sent).error());
        co_return *sent;
    }
    const std::vector<Outcome> told = wanted(*envelope, failed, NoticeKind::failure);
    std::optional<mail::QueueId> result;
    if (!told.empty()) {
        Plan plan;
        plan.words = &data->templates.failure;
        plan.takes_headers_only = envelope->dsn_return == mail::DsnReturn::headers ||
                                  (data->size_limit > 0 && content->size() > data->size_limit);
        plan.recipient = envelope->sender;
        plan.log_name = "sender non-delivery notification";
        auto sent = co_await send(*data, *envelope, *content, told, std::move(plan));
        if (!sent) co_return std::unexpected(std::move(sent).error());
        result = *sent;
    }
    if (data->notifies_bounce) {
        Plan plan =
            postmaster_plan(*data, NoticeKind::failure, data->templates.failure, data->bounce_recipient, to_postmaster);
        auto copy = co_await send(*data, *envelope, *content, failed, std::move(plan));
        // The sender has been told, durably: failing now would tell him again. The postmaster has the log.
        if (!copy) data->logger.warning("{}: {}: {}", mail::format(envelope->id), to_postmaster, copy.error().text());
    }
    co_return result;
}

Task<Reported> Bouncer::warn_delayed(queue::EnvelopePtr envelope, queue::ContentPtr content,
                                     std::vector<Outcome> waiting) const
{
    const std::shared_ptr<const Data> data = data_;
    if (envelope->sender.empty() || is_double_bounce(*data, envelope->sender)) co_return std::nullopt;
    const std::vector<Outcome> told = wanted(*envelope, waiting, NoticeKind::delay);
    std::optional<mail::QueueId> result;
    if (!told.empty()) {
        Plan plan;
        plan.kind = NoticeKind::delay;
        plan.words = &data->templates.delay;
        plan.recipient = envelope->sender;
        plan.log_name = "sender delay notification";
        auto sent = co_await send(*data, *envelope, *content, told, std::move(plan));
        if (!sent) co_return std::unexpected(std::move(sent).error());
        result = *sent;
    }
    if (data->notifies_delay) {
        constexpr std::string_view to_postmaster = "postmaster delay notification";
        Plan plan =
            postmaster_plan(*data, NoticeKind::delay, data->templates.delay, data->delay_recipient, to_postmaster);
        auto copy = co_await send(*data, *envelope, *content, waiting, std::move(plan));
        if (!copy) data->logger.warning("{}: {}: {}", mail::format(envelope->id), to_postmaster, copy.error().text());
    }
    co_return result;
}

namespace {

Task<Reported> send_to_sender(std::shared_ptr<const Bouncer::Data> data, queue::EnvelopePtr envelope,
                              queue::ContentPtr content, std::vector<Outcome> outcomes, NoticeKind kind,
                              bool clears_delay = false)
{
    if (envelope->sender.empty() || is_double_bounce(*data, envelope->sender)) co_return std::nullopt;
    if (clears_delay)
        std::erase_if(outcomes, [&](const Outcome& outcome) {
            return envelope->recipients.at(outcome.recipient).notify & mail::notify_never;
        });
    const std::vector<Outcome> told = clears_delay ? std::move(outcomes) : wanted(*envelope, std::move(outcomes), kind);
    if (told.empty()) co_return std::nullopt;
    Plan plan;
    plan.kind = kind;
    plan.words = kind == NoticeKind::success ? &data->templates.success : &data->templates.verify;
    plan.recipient = envelope->sender;
    plan.log_name = "sender delivery status notification";
    auto sent = co_await send(*data, *envelope, *content, told, std::move(plan));
    if (!sent) co_return std::unexpected(std::move(sent).error());
    co_return *sent;
}

}  // namespace

Task<Reported> Bouncer::report_success(queue::EnvelopePtr envelope, queue::ContentPtr content,
                                       std::vector<Outcome> delivered, bool clears_delay) const
{
    if (!clears_delay) std::erase_if(delivered, [](const Outcome& outcome) { return outcome.is_reported_by_peer; });
    return send_to_sender(data_, std::move(envelope), std::move(content), std::move(delivered), NoticeKind::success,
                          clears_delay);
}

Task<Reported> Bouncer::report_status(queue::EnvelopePtr envelope, queue::ContentPtr content,
                                      std::vector<Outcome> outcomes) const
{
    return send_to_sender(data_, std::move(envelope), std::move(content), std::move(outcomes), NoticeKind::status);
}

}  // namespace ekiden::report
