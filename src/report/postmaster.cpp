#include "report/postmaster.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mime/date.hpp"
#include "report/notice.hpp"

namespace ekiden::report {

struct Postmaster::Data {
    std::shared_ptr<const rewrite::Intake> intake;
    Logger logger;
    std::string mail_name, double_bounce_sender, error_recipient, bounce_recipient;
    bool checks_content = false;
};

std::shared_ptr<const Postmaster> Postmaster::make(config::SettingsPtr settings,
                                                   std::shared_ptr<const rewrite::Intake> intake)
{
    const config::Settings& s = *settings;
    auto data = std::make_shared<Data>();
    data->logger = Logger(s.str("syslog_name") + "/smtpd");
    data->mail_name = s.str("mail_name");
    const std::string double_bounce = s.str("double_bounce_sender");
    data->double_bounce_sender =
        double_bounce.find('@') == std::string::npos ? double_bounce + "@" + s.str("myhostname") : double_bounce;
    data->error_recipient = s.str("error_notice_recipient");
    data->bounce_recipient = s.str("bounce_notice_recipient");
    for (const auto& word : s.list("internal_mail_filter_classes"))
        data->checks_content = data->checks_content || word == "notify";
    data->intake = std::move(intake);
    return std::make_shared<const Postmaster>(std::move(data));
}

std::string format_session_letter(const Postmaster::Report& report, std::string_view from, std::string_view to,
                                  std::string_view date, std::string_view mail_name)
{
    constexpr std::size_t width = 78;   // beside the blank that sets the transcript apart
    std::string out = fmt::format(
        "Date: {}\nFrom: Mail Delivery System <{}>\nTo: Postmaster <{}>\nSubject: {} SMTP server: errors from {}\n\n",
        date, from, to, mail_name, report.client);
    out += "Transcript of session follows.\n\n";
    for (std::string_view rest = report.transcript; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string folded = fold_words(rest.substr(0, end), width);
        for (const std::string_view line : base::split_any(folded, "\n")) out.append(" ").append(line).append("\n");
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    out += "\n";
    if (!report.reason.empty()) out += fmt::format("Session aborted, reason: {}\n", report.reason);
    out += "\nFor other details, see the local mail logfile\n";
    return out;
}

Task<void> Postmaster::tell_of_session(Report report) const
{
    const std::shared_ptr<const Data> data = data_;
    const rewrite::Resolver& resolver = data->intake->resolver();
    const std::string& recipient_name = report.is_bounce ? data->bounce_recipient : data->error_recipient;
    const std::string from = mail::quote_address(resolver.complete("MAILER-DAEMON", "local"));
    const std::string to = mail::quote_address(resolver.complete(recipient_name, "local"));
    const std::string text =
        format_session_letter(report, from, to, mime::format_date(base::wall_now()), data->mail_name);

    rewrite::DraftOptions options;
    options.source = rewrite::Source::notify;
    options.checks_content = data->checks_content;
    options.origin.rewrite_context = "local";
    rewrite::Draft draft = data->intake->open(std::move(options));
    draft.set_sender(data->double_bounce_sender);
    mail::Recipient recipient;
    recipient.address = recipient_name;
    draft.add_recipient(std::move(recipient));
    draft.write(text);
    auto queued = co_await draft.submit();
    if (!queued)
        data->logger.warning("cannot notify the postmaster of errors from {}: {}", report.client,
                             queued.error().status.text);
}

}  // namespace ekiden::report
