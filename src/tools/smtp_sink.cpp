// smtp-sink: takes SMTP or LMTP mail and throws it away, or captures it, as fast as clients can send (smtp-sink.1).
#include "tools/smtp_sink_ledger.hpp"
#include "tools/smtp_sink_server.hpp"

#include "tools/commands.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <cstring>

#include <grp.h>
#include <pwd.h>
#include <syslog.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr std::size_t ledger_limit = std::size_t{4} * 1024 * 1024 * 1024;

struct SinkOptions {
    SinkSettings settings;
    SinkServerSettings server;
    int family = AF_UNSPEC;
    std::string root_folder;
    std::string user;
    bool has_file_per_message = false;
    bool has_common_file = false;
    std::string ledger;  // path
    bool checks_ledger = false;
    bool prints_json = false;
    std::string certificate;  // path
    std::vector<std::string> complaints;  // said before the usage text
};

using Row = OptionRow<SinkOptions>;
using Value = std::string_view;

Result<void> mark_commands(SinkOptions& options, Value names, bool SinkTreatment::*mark)
{
    for (const std::string_view name : base::split_any(names)) {
        const auto verb = find_sink_verb(name);
        if (!verb) return fail(ErrorCode::syntax, fmt::format("unknown command: {}", name));
        options.settings.treatment(*verb).*mark = true;
    }
    return {};
}

// A client that pipelines has sent the next command when this one fails; -f and -r imply -p.
Result<void> reject_commands(SinkOptions& options, Value names, bool SinkTreatment::*mark)
{
    options.settings.announces_pipelining = false;
    return mark_commands(options, names, mark);
}

Result<void> set_reply(std::string& target, SinkOptions& options, Value text, char first_digit, std::string_view kind)
{
    const bool is_reply = text.size() >= 3 && text[0] == first_digit && base::is_digit(text[1]) &&
                          base::is_digit(text[2]) && (text.size() == 3 || text[3] == ' ');
    if (is_reply) {
        target = text;
        return {};
    }
    options.complaints.push_back(fmt::format("bad {} error reply: {}", kind, text));
    return usage_error();
}

template <class T>
Result<void> set_count(T& target, Value value, std::string_view what)
{
    EKIDEN_TRY_VALUE(number, parse_count(value, 1, what));
    target = static_cast<T>(number);
    return {};
}

// COMMAND:delay[:odds]
Result<void> set_delay(SinkOptions& options, Value value)
{
    const auto parts = base::split(value, ':');
    if (parts.size() < 2 || parts.size() > 3)
        return fail(ErrorCode::syntax, fmt::format("invalid command delay argument: {}", value));
    const auto verb = find_sink_verb(parts[0]);
    if (!verb) return fail(ErrorCode::syntax, fmt::format("unknown command: {}", parts[0]));
    const auto seconds = base::parse_number<int>(parts[1]);
    if (!seconds || *seconds <= 0) return fail(ErrorCode::syntax, fmt::format("non-positive '{}' delay", parts[0]));
    SinkTreatment& treatment = options.settings.treatment(*verb);
    treatment.delay_seconds = *seconds;
    if (parts.size() == 2) return {};
    const auto odds = base::parse_number<int>(parts[2]);
    if (!odds || *odds < 0 || *odds > 99)
        return fail(ErrorCode::syntax, fmt::format("delay odds for '{}' out of range", parts[0]));
    treatment.delay_odds = *odds;
    return {};
}

Result<void> set_data_delay(SinkOptions& options, Value value)
{
    const auto seconds = base::parse_number<int>(value);
    if (!seconds || *seconds <= 0) return usage_error();
    options.settings.treatment(SinkVerb::data).delay_seconds = *seconds;
    return {};
}

Result<void> set_abort_delay(SinkOptions& options, Value value)
{
    const auto seconds = base::parse_number<int>(value);
    if (!seconds || *seconds < 0) return usage_error();
    options.settings.abort_delay = *seconds;
    return {};
}

// A name has no colon here, a password may.
Result<void> set_user(SinkOptions& options, Value value)
{
    const std::size_t colon = value.find(':');
    if (colon == value.npos || colon == 0) return fail(ErrorCode::syntax, "--user wants name:password");
    options.settings.user = {.name = std::string(value.substr(0, colon)),
                             .password = std::string(value.substr(colon + 1))};
    return {};
}

// clang-format off
constexpr Row rows[] = {
    {'4', false, [](SinkOptions& o, Value) -> Result<void> { o.family = AF_INET; return {}; }},
    {'6', false, [](SinkOptions& o, Value) -> Result<void> { o.family = AF_INET6; return {}; }},
    {'8', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.announces_8bitmime = false; return {}; }},
    {'a', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.announces_auth = false; return {}; }},
    {'A', true, set_abort_delay},
    {'b', true, [](SinkOptions& o, Value v) { return set_reply(o.settings.soft_reply, o, v, '4', "soft"); }},
    {'B', true, [](SinkOptions& o, Value v) { return set_reply(o.settings.hard_reply, o, v, '5', "hard"); }},
    {'c', false, [](SinkOptions& o, Value) -> Result<void> { o.server.shows_counters = true; return {}; }},
    {'C', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.announces_xclient = false; return {}; }},
    {'d', true, [](SinkOptions& o, Value v) -> Result<void> { o.settings.dump.file_template = v; o.has_file_per_message = true; return {}; }},
    {'D', true, [](SinkOptions& o, Value v) -> Result<void> { o.settings.dump.file_template = v; o.has_common_file = true; return {}; }},
    {'e', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.hides_esmtp = true; return {}; }},
    {'E', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.announces_enhanced_codes = false; return {}; }},
    {'f', true, [](SinkOptions& o, Value v) { return reject_commands(o, v, &SinkTreatment::fails_hard); }},
    {'F', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.announces_xforward = false; return {}; }},
    {'h', true, [](SinkOptions& o, Value v) -> Result<void> { o.settings.host_name = v; return {}; }},
    {'H', true, [](SinkOptions& o, Value v) { return set_count(o.settings.data_read_delay, v, "data read delay"); }},
    {'L', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.is_lmtp = true; return {}; }},
    {'m', true, [](SinkOptions& o, Value v) { return set_count(o.server.most_connections, v, "concurrency limit"); }},
    {'M', true, [](SinkOptions& o, Value v) { return set_count(o.server.quit_after_messages, v, "message quit count"); }},
    {'n', true, [](SinkOptions& o, Value v) { return set_count(o.server.quit_after_sessions, v, "quit count"); }},
    {'N', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.announces_dsn = false; return {}; }},
    {'p', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.announces_pipelining = false; return {}; }},
    {'P', false, [](SinkOptions& o, Value) -> Result<void> { o.settings.looks_like_pix = o.settings.hides_esmtp = true; return {}; }},
    {'q', true, [](SinkOptions& o, Value v) { return mark_commands(o, v, &SinkTreatment::hangs_up); }},
    {'Q', true, [](SinkOptions& o, Value v) { return mark_commands(o, v, &SinkTreatment::hangs_up_politely); }},
    {'r', true, [](SinkOptions& o, Value v) { return reject_commands(o, v, &SinkTreatment::fails_softly); }},
    {'R', true, [](SinkOptions& o, Value v) -> Result<void> { o.root_folder = v; return {}; }},
    {'s', true, [](SinkOptions& o, Value v) { return mark_commands(o, v, &SinkTreatment::is_logged); }},
    {'S', true, [](SinkOptions& o, Value v) -> Result<void> { o.settings.dump.start_text = resolve_escapes(v); return {}; }},
    {'t', true, [](SinkOptions& o, Value v) -> Result<void> {
        EKIDEN_TRY_VALUE(seconds, parse_count(v, 1, "timeout"));
        o.server.step_limit = std::chrono::seconds(seconds);
        return {};
    }},
    {'T', true, [](SinkOptions& o, Value v) { return set_count(o.server.window_size, v, "TCP window size"); }},
    {'u', true, [](SinkOptions& o, Value v) -> Result<void> { o.user = v; return {}; }},
    {'v', false, [](SinkOptions& o, Value) -> Result<void> { o.server.is_verbose = true; return {}; }},
    {'w', true, set_data_delay},
    {'W', true, set_delay},
    {'\0', true, [](SinkOptions& o, Value v) -> Result<void> { o.certificate = v; return {}; }, "certificate"},
    {'\0', false, [](SinkOptions& o, Value) -> Result<void> { o.server.begins_with_tls = true; return {}; }, "tls-wrapper"},
    {'\0', true, set_user, "user"},
    {'\0', false, [](SinkOptions& o, Value) -> Result<void> { o.prints_json = true; return {}; }, "json"},
    {'\0', true, [](SinkOptions& o, Value v) -> Result<void> { o.ledger = v; return {}; }, "ledger"},
    {'\0', false, [](SinkOptions& o, Value) -> Result<void> { o.checks_ledger = true; return {}; }, "ledger-check"},
};
// clang-format on

std::string usage(std::string_view program)
{
    return fmt::format(
        "usage: {0} --ledger-check [--json] sent-ledger received-ledger\n"
        "usage: {0} [-468acCeEFLpPv] [--certificate file [--tls-wrapper]] [--user name:password] [--ledger file] [-A abort_delay] [-b soft_bounce_reply] [-B hard_bounce_reply] "
        "[-d dump-template] [-D dump-template] [-f commands] [-h hostname] [-m max_concurrency] [-M message_quit_count] "
        "[-n quit_count] [-q commands] [-r commands] [-R root-dir] [-s commands] [-S start-string] [-u user_privs] "
        "[-w delay] [host]:port backlog",
        program);
}

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
};

Result<std::optional<Account>> find_account(const std::string& name)
{
    if (name.empty()) {
        if (::geteuid() == 0) return fail(ErrorCode::refused, "-u option is required if running as root");
        return std::nullopt;
    }
    const passwd* entry = ::getpwnam(name.c_str());
    if (!entry) return fail(ErrorCode::not_found, fmt::format("unknown user: {}", name));
    return Account{.name = name, .uid = entry->pw_uid, .gid = entry->pw_gid};
}

Result<void> give_up_rights(const std::string& root_folder, const std::optional<Account>& account)
{
    if (!root_folder.empty()) {
        if (::chroot(root_folder.c_str()) < 0)
            return fail(Error::from_errno(errno, fmt::format("chroot({})", root_folder)));
        if (::chdir("/") < 0) return fail(Error::from_errno("chdir", "/"));
    }
    if (!account || (account->uid == ::geteuid() && account->uid != 0)) return {};
    if (::setgid(account->gid) < 0) return fail(Error::from_errno(errno, fmt::format("setgid({})", account->gid)));
    if (::initgroups(account->name.c_str(), account->gid) < 0) return fail(Error::from_errno("initgroups"));
    if (::setuid(account->uid) < 0) return fail(Error::from_errno(errno, fmt::format("setuid({})", account->uid)));
    return {};
}

Result<int> serve(SinkOptions& options, const char* endpoint, int backlog, Console& console)
{
    if (options.has_file_per_message && options.has_common_file)
        return fail(ErrorCode::syntax, "use only one of -d or -D, but not both");
    options.settings.dump.is_single_file = options.has_common_file;

    EKIDEN_TRY_VALUE(account, find_account(options.user));
    EKIDEN_TRY_VALUE(addresses, resolve_endpoint(endpoint, options.family, Purpose::listen));
    EKIDEN_TRY_VALUE(listeners, open_listeners(addresses, backlog, options.server.window_size));
    raise_descriptor_limit();
    ::openlog("smtp-sink", LOG_PID | LOG_NDELAY, LOG_MAIL);
    if (options.server.begins_with_tls && options.certificate.empty())
        return fail(ErrorCode::syntax, "--tls-wrapper wants --certificate");
    if (!options.certificate.empty()) {
        EKIDEN_TRY_VALUE(context, make_tls_server(options.certificate));
        options.server.tls = std::move(context);
        options.settings.offers_starttls = !options.server.begins_with_tls;
    }
    std::optional<LedgerFile> ledger;
    if (!options.ledger.empty()) {
        EKIDEN_TRY_VALUE(opened, LedgerFile::open(options.ledger));
        ledger = std::move(opened);
        options.settings.ledger = &*ledger;
    }
    EKIDEN_TRY(give_up_rights(options.root_folder, account));

    SinkServer server(options.settings, options.server, std::move(listeners), console);
    return server.run();
}

// What is found goes to standard output, one finding a line, the figures last.
Result<int> compare_ledgers(const std::string& sent, const std::string& received, bool prints_json, Console& console)
{
    EKIDEN_TRY_VALUE(sent_text, base::read_file(sent, ledger_limit));
    EKIDEN_TRY_VALUE(received_text, base::read_file(received, ledger_limit));
    EKIDEN_TRY_VALUE(report, check_ledgers(sent_text, received_text));
    if (!prints_json)
        for (const LedgerFinding& finding : report.findings) console.count(finding.text() + '\n');
    console.count((prints_json ? report.json() : report.summary()) + '\n');
    return report.is_proof() ? 0 : 1;
}

}  // namespace

int smtp_sink_main(int argc, char** argv)
{
    Console console(argv[0]);
    SinkOptions options;
    const auto operands = parse_options<SinkOptions>(argc, argv, rows, options);
    for (const std::string& complaint : options.complaints) console.error(complaint);
    if (!operands) return console.fatal(operands.error().text().empty() ? usage(argv[0]) : operands.error().text());
    if (argc - *operands != 2) return console.fatal(usage(argv[0]));
    if (options.checks_ledger) {
        const auto status = compare_ledgers(argv[*operands], argv[*operands + 1], options.prints_json, console);
        return status ? *status : console.fatal(status.error().text());
    }
    const auto backlog = base::parse_number<int>(argv[*operands + 1]);
    if (!backlog || *backlog <= 0) return console.fatal(usage(argv[0]));

    const auto status = serve(options, argv[*operands], *backlog, console);
    return status ? *status : console.fatal(status.error().text());
}

}  // namespace ekiden::tools
