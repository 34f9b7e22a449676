#include "deliver/mailbox_file.hpp"

#include "mail/address.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

std::uint8_t parse_locks(const config::Settings& settings, std::string_view parameter)
{
    std::uint8_t locks = 0;
    for (const std::string& word : settings.list(parameter)) {
        if (word == "fcntl") locks |= 1;
        else if (word == "flock") locks |= 2;
        else if (word == "dotlock") locks |= 4;
        else
            throw config::ConfigError(
                fmt::format("unknown {} value \"{}\" in \"{}\"", parameter, word, settings.str(parameter)),
                settings.location(parameter));
    }
    return locks;
}

}  // namespace

namespace {

constexpr int neighbour_tries = 3;
constexpr auto neighbour_time = std::chrono::milliseconds(50);

// Errors of opening or making a file that waiting does not change. Trouble of the disk, the memory or the network is none.
bool means_no_such_place(const HelperAnswer& answer)
{
    constexpr std::string_view steps[] = {"cannot open file", "cannot create file exclusively", "create maildir file",
                                          "unable to create lock file"};
    constexpr int errors[] = {ENOENT, EACCES, EPERM, ENOTDIR, EISDIR, ELOOP, EMLINK, ENAMETOOLONG, ENXIO, EINVAL};
    return std::ranges::find(steps, answer.what) != std::end(steps) &&
           std::ranges::find(errors, answer.os_error) != std::end(errors);
}

void give_hints(const HelperAnswer& answer, const FileTarget& target, const Logger& logger)
{
    if (answer.kind != HelperAnswer::Kind::failed) return;
    if (answer.what == "owner")
        logger.warning("specify \"strict_mailbox_ownership = no\" to ignore mailbox ownership mismatch");
    if (answer.what != "create maildir file" || answer.os_error != EACCES) return;
    logger.warning("maildir access problem for UID/GID={}/{}: {}", target.owner.uid, target.owner.gid, answer.text);
    logger.warning("perhaps you need to create the maildirs in advance");
}

// comsat(8): "user@offset" to the biff service of this machine. Nobody there, or no such service: nobody wants to know.
void tell_user(const std::string& user, std::uint64_t offset)
{
    static const int port = [] {
        const servent* service = ::getservbyname("biff", "udp");
        return service ? static_cast<int>(service->s_port) : static_cast<int>(htons(512));
    }();
    Fd channel(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = static_cast<in_port_t>(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string text = fmt::format("{}@{}", user, offset);
    if (channel)
        (void)::sendto(channel.get(), text.data(), text.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to),
                       sizeof to);
}

}  // namespace

MailboxSettings MailboxSettings::from(const config::Settings& settings, std::string_view limit_parameter,
                                      std::string_view locks_parameter)
{
    MailboxSettings result;
    result.size_limit = static_cast<std::uint64_t>(settings.integer(limit_parameter));
    result.locks = parse_locks(settings, locks_parameter);
    // The helper's answer is waited for; a lock that takes longer is tried again with the next attempt.
    result.lock_limit = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
        settings.integer("deliver_lock_attempts") * settings.time("deliver_lock_delay").count(), 1, 240));
    result.stale_lock_limit =
        static_cast<std::uint32_t>(std::min<std::int64_t>(settings.time("stale_lock_time").count(), 1'000'000'000));
    result.checks_owner = settings.boolean("strict_mailbox_ownership");
    result.has_original_to = settings.boolean("enable_original_recipient");
    return result;
}

DeliveryFacts facts_of(const Job& job, std::uint32_t recipient)
{
    const mail::Recipient& to = job.envelope->recipients[recipient];
    return {job.envelope->sender, to.original.empty() ? to.address : to.original, to.address};
}

std::string from_line(std::string_view sender)
{
    std::time_t now = base::to_seconds(base::wall_now());
    std::tm local{};
    ::localtime_r(&now, &local);
    char stamp[64];
    std::strftime(stamp, sizeof stamp, "%a %b %e %H:%M:%S %Y", &local);
    return fmt::format("From {}  {}\n", sender.empty() ? "MAILER-DAEMON" : mail::quote_address(sender), stamp);
}

std::string delivery_prefix(const DeliveryFacts& facts, bool with_from_line)
{
    std::string prefix;
    if (with_from_line) prefix = from_line(facts.sender);
    fmt::format_to(std::back_inserter(prefix), "Return-Path: <{}>\n", mail::quote_address(facts.sender));
    if (!facts.original.empty())
        fmt::format_to(std::back_inserter(prefix), "X-Original-To: {}\n", mail::quote_address(facts.original));
    if (facts.has_delivered_to)
        fmt::format_to(std::back_inserter(prefix), "Delivered-To: {}\n", mail::quote_address(facts.delivered_to));
    return prefix;
}

Task<Result<void>> attach_content(queue::ContentPtr content, HelperRequest& request, Fd& descriptor)
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

Task<Outcome> deliver_to_file(Helper& helper, const Job& job, FileTarget target, DeliveryFacts facts,
                              MailboxSettings settings)
{
    auto outcome = co_await deliver_to_file_unless(helper, job, std::move(target), std::move(facts), settings, {});
    co_return std::move(outcome).value_or(Outcome());
}

Task<std::optional<Outcome>> deliver_to_file_unless(Helper& helper, const Job& job, FileTarget target,
                                                    DeliveryFacts facts, MailboxSettings settings,
                                                    std::vector<std::string> unless)
{
    bool is_maildir = target.path.ends_with('/');
    target.is_virtual = settings.is_virtual;
    WallTime started_at = base::wall_now();
    if (job.envelope->only_asks()) {
        if (!unless.empty()) co_return std::nullopt;   // whether these are there is seen on the long way
        Outcome would;
        would.kind = Outcome::Kind::delivered;
        would.status.code = "2.0.0";
        would.status.text = !target.is_mailbox && !is_maildir ? "delivers to file: " + target.path
                            : is_maildir                      ? "delivers to maildir"
                                                              : "delivers to mailbox";
        would.connect_started_at = would.connected_at = would.ended_at = started_at;
        co_return would;
    }

    HelperRequest request;
    request.kind = is_maildir ? HelperRequest::Kind::maildir : HelperRequest::Kind::mailbox;
    request.uid = target.owner.uid;
    request.gid = target.owner.gid;
    request.path = target.path;
    request.prefix = delivery_prefix(facts, !is_maildir);
    request.is_in_spool = target.is_in_spool;
    request.size_limit = settings.size_limit;
    request.unless = std::move(unless);
    if (is_maildir) {
        request.host_name = host_name();
    } else {
        request.suffix = "\n";
        request.quotes_from = true;
        request.locks = settings.locks;
        request.lock_limit = settings.lock_limit;
        request.stale_lock_limit = settings.stale_lock_limit;
        request.checks_owner = target.is_mailbox && settings.checks_owner;
    }
    Fd content;
    Outcome outcome;
    if (auto attached = co_await attach_content(job.content, request, content); !attached) {
        outcome.status = {"4.3.0", "cannot read the message: " + attached.error().text()};
    } else {
        // A mailbox in a folder that a Maildir of the same message makes at this moment: it is there soon, or not at all.
        bool has_neighbours = settings.is_virtual && !is_maildir && job.envelope->recipients.size() > 1;
        auto answer = co_await helper.ask(has_neighbours ? request : std::move(request), std::move(content));
        for (int i = 0; i < neighbour_tries && has_neighbours && answer && answer->os_error == ENOENT; ++i) {
            co_await net::sleep_for(neighbour_time);
            content = Fd();
            if (!co_await attach_content(job.content, request, content)) break;
            answer = co_await helper.ask(request, std::move(content));
        }
        if (answer && answer->kind == HelperAnswer::Kind::withheld) co_return std::nullopt;
        if (answer) {
            outcome = file_outcome(*answer, target);
            give_hints(*answer, target, settings.logger);
            if (settings.tells_users && !is_maildir && target.is_mailbox && answer->kind == HelperAnswer::Kind::done)
                tell_user(target.user_name, answer->size);
        }
        else outcome.status = {"4.3.0", answer.error().text()};
    }
    outcome.connect_started_at = outcome.connected_at = started_at;
    outcome.ended_at = base::wall_now();
    co_return outcome;
}

Outcome file_outcome(const HelperAnswer& answer, const FileTarget& target)
{
    bool is_maildir = target.path.ends_with('/');
    Outcome outcome;
    if (answer.kind == HelperAnswer::Kind::done) {
        outcome.kind = Outcome::Kind::delivered;
        if (!target.is_mailbox && !is_maildir) outcome.status = {"2.0.0", "delivered to file: " + target.path};
        else outcome.status = {"2.0.0", is_maildir ? "delivered to maildir" : "delivered to mailbox"};
        return outcome;
    }
    // As documented for virtual(8): what is over its quota is returned, in all other cases somebody will mend it. local(8)
    // returns what names a file that cannot be: the user wrote that name, or his home is not what it should be.
    bool is_over_quota = answer.os_error == EDQUOT || answer.os_error == EFBIG;
    bool is_hopeless = !target.is_virtual && means_no_such_place(answer);
    outcome.kind = is_over_quota || is_hopeless ? Outcome::Kind::bounced : Outcome::Kind::deferred;
    outcome.status.code = is_over_quota               ? "5.2.2"
                          : is_hopeless               ? "5.2.0"
                          : answer.os_error == ENOSPC ? "4.3.0"
                                                      : "4.2.0";
    if (!target.is_mailbox && !is_maildir)
        outcome.status.text = fmt::format("cannot append message to file {}: {}", target.path, answer.text);
    else if (is_maildir) outcome.status.text = fmt::format("maildir delivery failed: {}", answer.text);
    else if (target.is_virtual)
        outcome.status.text = fmt::format("delivery failed to mailbox {}: {}", target.path, answer.text);
    else
        outcome.status.text =
            fmt::format("cannot update mailbox {} for user {}. {}", target.path, target.user_name, answer.text);
    if (answer.what == "error writing message") {
        outcome.diagnostic_type = "x-unix";
        outcome.diagnostic_text = "input/output error";
    }
    return outcome;
}

}  // namespace ekiden::deliver
