#include "deliver/mailbox_file.hpp"

#include "mail/address.hpp"

#include <cerrno>
#include <ctime>
#include <sys/mman.h>
#include <unistd.h>

namespace ekiden::deliver {

namespace {

// gethostname(), not $myhostname: what Maildir readers expect. '/' and ':' would break the name (maildir(5)).
const std::string& host_name()
{
    static const std::string name = [] {
        char buffer[256]{};
        ::gethostname(buffer, sizeof buffer - 1);
        std::string safe;
        for (const char* c = buffer; *c; ++c) {
            if (*c == '/') safe += "\\057";
            else if (*c == ':') safe += "\\072";
            else safe += *c;
        }
        return safe.empty() ? std::string("localhost") : safe;
    }();
    return name;
}

std::string from_line(const Job& job)
{
    const std::string& sender = job.envelope->sender;
    std::time_t now = base::to_seconds(base::wall_now());
    std::tm local{};
    ::localtime_r(&now, &local);
    char stamp[64];
    std::strftime(stamp, sizeof stamp, "%a %b %e %H:%M:%S %Y", &local);
    return fmt::format("From {}  {}\n", sender.empty() ? "MAILER-DAEMON" : mail::quote_address(sender), stamp);
}

}  // namespace

std::uint8_t parse_locks(const config::Settings& settings, std::string_view parameter)
{
    std::uint8_t locks = 0;
    for (const std::string& word : settings.list(parameter)) {
        if (word == "fcntl") locks |= 1;
        else if (word == "flock") locks |= 2;
        else if (word == "dotlock") locks |= 4;
        else throw config::ConfigError(fmt::format("unknown {} value \"{}\" in \"{}\"", parameter, word, settings.str(parameter)), settings.location(parameter));
    }
    return locks;
}

std::string delivery_prefix(const Job& job, std::uint32_t recipient, std::string_view delivered_to, bool with_from_line)
{
    const mail::Recipient& to = job.envelope->recipients[recipient];
    std::string prefix;
    if (with_from_line) prefix = from_line(job);
    fmt::format_to(std::back_inserter(prefix), "Return-Path: <{}>\n", mail::quote_address(job.envelope->sender));
    fmt::format_to(std::back_inserter(prefix), "X-Original-To: {}\n", mail::quote_address(to.original.empty() ? to.address : to.original));
    fmt::format_to(std::back_inserter(prefix), "Delivered-To: {}\n", delivered_to);
    return prefix;
}

Task<Result<void>> attach_content(const queue::ContentPtr& content, HelperRequest& request, Fd& descriptor)
{
    if (auto whole = content->in_memory(); whole && whole->size() <= max_inline_content) {
        request.content = std::string(*whole);
        co_return Result<void>{};
    }
    Fd file(::memfd_create("message", MFD_CLOEXEC));
    if (!file) co_return fail(Error::from_errno("memfd_create"));
    auto reader = content->open();
    for (;;) {
        EKIDEN_CO_TRY_VALUE(piece, co_await reader->next());
        if (piece.empty()) break;
        EKIDEN_CO_TRY(base::write_all(file.get(), piece));
    }
    descriptor = std::move(file);
    co_return Result<void>{};
}

Task<Outcome> deliver_to_file(Helper& helper, const Job& job, std::uint32_t recipient, std::string path, std::string delivered_to,
                              const MailboxOwner& owner, const MailboxSettings& settings)
{
    bool is_maildir = path.ends_with('/');
    Outcome outcome;
    outcome.recipient = recipient;
    outcome.connect_started_at = outcome.connected_at = base::wall_now();

    HelperRequest request;
    request.kind = is_maildir ? HelperRequest::Kind::maildir : HelperRequest::Kind::mailbox;
    request.uid = owner.uid;
    request.gid = owner.gid;
    request.user = owner.user;
    request.path = path;
    request.prefix = delivery_prefix(job, recipient, delivered_to, !is_maildir);
    if (is_maildir) {
        request.host_name = host_name();
    } else {
        request.suffix = "\n";
        request.quotes_from = true;
        request.locks = settings.locks;
        request.size_limit = settings.size_limit;
    }
    Fd content;
    auto attached = co_await attach_content(job.content, request, content);
    if (!attached) {
        outcome.status = {"4.3.0", "cannot read the message: " + attached.error().text()};
        outcome.ended_at = base::wall_now();
        co_return outcome;
    }
    auto answer = co_await helper.ask(std::move(request), std::move(content));
    outcome.ended_at = base::wall_now();
    if (!answer) {
        outcome.status = {"4.3.0", answer.error().text()};
        co_return outcome;
    }
    if (answer->kind == HelperAnswer::Kind::done) {
        outcome.kind = Outcome::Kind::delivered;
        outcome.status = {"2.0.0", is_maildir ? "delivered to maildir" : "delivered to mailbox"};
        co_return outcome;
    }
    // As documented for local(8): a full disk or quota is the mailbox's trouble (x.2.2), the rest the system's (x.2.0).
    int error = answer->os_error;
    bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    bool is_later = error == EAGAIN || error == EINTR || error == EIO || error == ENOMEM || error == ENFILE || error == EMFILE || error == ENOSPC || error == EDQUOT ||
                    error == ESTALE || error == EROFS || answer->what == "become user" || answer->what == "start worker";
    if (is_maildir) {
        // A Maildir that cannot be written is deferred, whatever the reason: somebody will mend the folder.
        outcome.status = {is_full ? "4.2.2" : "4.2.0", fmt::format("maildir delivery failed: {}", answer->text)};
    } else {
        std::string text = fmt::format("cannot update mailbox {} for user {}. {}", path, owner.user.empty() ? mail::split_address(job.envelope->recipients[recipient].address).local : std::string_view(owner.user), answer->text);
        outcome.kind = is_later ? Outcome::Kind::deferred : Outcome::Kind::bounced;
        outcome.status = {fmt::format("{}.2.{}", is_later ? 4 : 5, is_full ? 2 : 0), std::move(text)};
    }
    co_return outcome;
}

}  // namespace ekiden::deliver
