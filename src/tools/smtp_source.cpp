// smtp-source: many parallel SMTP or LMTP sessions that send messages as fast as the server takes them (smtp-source.1).
#include "tools/smtp_source_client.hpp"

#include "tools/commands.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <climits>

#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr std::size_t prepared_message_limit = 256 * 1024 * 1024;

struct SourceOptions {
    Campaign campaign;
    SourceSettings settings;
    int family = AF_UNSPEC;
    int sessions = 1;
    int payload_length = 0;
    std::string prepared_message;  // path
    std::string ledger;            // path
    std::string subject;
    std::optional<std::string> sender;
    std::optional<std::string> recipient;
};

using Row = OptionRow<SourceOptions>;
using Value = std::string_view;

Result<void> set_count(int& target, Value value, int least, std::string_view what)
{
    EKIDEN_TRY_VALUE(number, parse_count(value, least, what));
    target = number;
    return {};
}

Result<void> set_delay(std::chrono::seconds& target, Value value, std::string_view what)
{
    EKIDEN_TRY_VALUE(seconds, parse_count(value, 0, what));
    target = std::chrono::seconds(seconds);
    return {};
}

Result<void> set_login(SourceOptions& options, Value value)
{
    if (base::equal_ignoring_case(value, "plain")) options.campaign.login = Campaign::Login::plain;
    else if (base::equal_ignoring_case(value, "login")) options.campaign.login = Campaign::Login::login;
    else return fail(ErrorCode::syntax, fmt::format("bad mechanism: {}", value));
    return {};
}

// A name has no colon here, a password may.
Result<void> set_user(SourceOptions& options, Value value)
{
    const std::size_t colon = value.find(':');
    if (colon == value.npos || colon == 0) return fail(ErrorCode::syntax, "--user wants name:password");
    options.campaign.user = value.substr(0, colon);
    options.campaign.password = value.substr(colon + 1);
    return {};
}

// clang-format off
constexpr Row rows[] = {
    {'4', false, [](SourceOptions& o, Value) -> Result<void> { o.family = AF_INET; return {}; }},
    {'6', false, [](SourceOptions& o, Value) -> Result<void> { o.family = AF_INET6; return {}; }},
    {'A', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.tolerates_rejection = true; return {}; }},
    {'c', false, [](SourceOptions& o, Value) -> Result<void> { o.settings.shows_counter = true; return {}; }},
    {'C', true, [](SourceOptions& o, Value v) { return set_count(o.settings.connect_tries, v, 1, "connection count"); }},
    {'d', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.keeps_connection = true; return {}; }},
    {'f', true, [](SourceOptions& o, Value v) -> Result<void> { o.sender = v; return {}; }},
    {'F', true, [](SourceOptions& o, Value v) -> Result<void> { o.prepared_message = v; return {}; }},
    {'l', true, [](SourceOptions& o, Value v) { return set_count(o.payload_length, v, 1, "message length"); }},
    {'L', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.is_lmtp = true; return {}; }},
    {'m', true, [](SourceOptions& o, Value v) { return set_count(o.campaign.messages_left, v, 1, "message count"); }},
    {'M', true, [](SourceOptions& o, Value v) -> Result<void> { o.campaign.host_name = v; return {}; }},
    {'N', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.numbers_every_recipient = true; return {}; }},
    {'o', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.sends_helo = false; return {}; }},
    {'r', true, [](SourceOptions& o, Value v) { return set_count(o.campaign.recipients_per_message, v, 1, "recipient count"); }},
    {'R', true, [](SourceOptions& o, Value v) { return set_delay(o.settings.random_delay, v, "random delay"); }},
    {'s', true, [](SourceOptions& o, Value v) { return set_count(o.sessions, v, 1, "session count"); }},
    {'S', true, [](SourceOptions& o, Value v) -> Result<void> { o.subject = v; return {}; }},
    {'t', true, [](SourceOptions& o, Value v) -> Result<void> { o.recipient = v; return {}; }},
    {'T', true, [](SourceOptions& o, Value v) { return set_count(o.settings.window_size, v, 1, "TCP window size"); }},
    {'v', false, [](SourceOptions& o, Value) -> Result<void> { o.settings.is_verbose = true; return {}; }},
    {'w', true, [](SourceOptions& o, Value v) { return set_delay(o.settings.fixed_delay, v, "fixed delay"); }},
    {'\0', true, set_login, "auth"},
    {'\0', false, [](SourceOptions& o, Value) -> Result<void> { o.settings.shows_latency = true; return {}; }, "latency"},
    {'\0', true, [](SourceOptions& o, Value v) -> Result<void> { o.ledger = v; return {}; }, "ledger"},
    {'\0', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.sends_mail = false; return {}; }, "no-mail"},
    {'\0', true, [](SourceOptions& o, Value v) { return set_count(o.settings.rate, v, 1, "rate"); }, "rate"},
    {'\0', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.tls = Campaign::Tls::starttls; return {}; }, "starttls"},
    {'\0', false, [](SourceOptions& o, Value) -> Result<void> { o.campaign.tls = Campaign::Tls::wrapper; return {}; }, "tls-wrapper"},
    {'\0', true, set_user, "user"},
};
// clang-format on

std::string usage(std::string_view program)
{
    return fmt::format(
        "usage: {} -cdLNov --starttls --tls-wrapper --auth plain|login --user name:password --no-mail --latency --ledger file --rate msgs "
        "-s sess -l msglen -m msgs -C count -M myhostname -f from -t to -r rcptcount -R delay -w delay host[:port]",
        program);
}

Result<void> check_combinations(const SourceOptions& options)
{
    if (options.settings.fixed_delay.count() > 0 && options.settings.random_delay.count() > 0)
        return fail(ErrorCode::syntax, "do not use -w and -R options at the same time");
    if (options.settings.rate > 0 &&
        (options.settings.fixed_delay.count() > 0 || options.settings.random_delay.count() > 0))
        return fail(ErrorCode::syntax, "--rate option cannot be used with -w or -R");
    if (options.payload_length > 0 && !options.prepared_message.empty())
        return fail(ErrorCode::syntax, "-l option cannot be used with -F");
    const Campaign& campaign = options.campaign;
    if ((campaign.login != Campaign::Login::none) == campaign.user.empty())
        return fail(ErrorCode::syntax, "--auth and --user go together");
    if (!campaign.sends_helo && (campaign.login != Campaign::Login::none || campaign.tls == Campaign::Tls::starttls))
        return fail(ErrorCode::syntax, "-o option cannot be used with --auth or --starttls");
    if (!campaign.sends_mail && (campaign.keeps_connection || !campaign.sends_helo))
        return fail(ErrorCode::syntax, "--no-mail option cannot be used with -d or -o");
    if (!options.ledger.empty() && (!campaign.sends_helo || !campaign.sends_mail))
        return fail(ErrorCode::syntax, "--ledger option cannot be used with -o or --no-mail");
    return {};
}

Result<void> fill_campaign(SourceOptions& options)
{
    Campaign& campaign = options.campaign;
    if (campaign.host_name.empty()) {
        char name[HOST_NAME_MAX + 1] = "";
        if (::gethostname(name, sizeof name - 1) < 0) return fail(Error::from_errno("gethostname"));
        campaign.host_name = name;
    }
    campaign.sender = options.sender.value_or("foo@" + campaign.host_name);
    campaign.recipient = options.recipient.value_or("foo@" + campaign.host_name);
    if (!options.subject.empty()) campaign.headers_after_id = fmt::format("Subject: {}\r\n", options.subject);
    campaign.has_own_headers = !campaign.sends_helo || !options.prepared_message.empty();

    if (!options.prepared_message.empty()) {
        auto file = base::read_file(options.prepared_message, prepared_message_limit);
        if (!file) return std::unexpected(std::move(file).error());
        campaign.content = make_content(*file);
    } else if (options.payload_length > 0) {
        campaign.content = make_payload(options.payload_length);
    }
    if (campaign.content.empty()) campaign.content = default_payload();
    campaign.content += "\r\n.\r\n";
    return {};
}

Result<int> send_everything(SourceOptions& options, const char* destination, Console& console)
{
    EKIDEN_TRY(check_combinations(options));
    EKIDEN_TRY(fill_campaign(options));
    EKIDEN_TRY_VALUE(addresses, resolve_endpoint(destination, options.family, Purpose::connect));
    raise_descriptor_limit();
    std::optional<LedgerFile> ledger;
    if (!options.ledger.empty()) {
        EKIDEN_TRY_VALUE(opened, LedgerFile::open(options.ledger));
        ledger = std::move(opened);
        options.campaign.ledger = &*ledger;
        options.campaign.ledger_run = make_ledger_run();
    }

    SourceRun run(options.campaign, options.settings, std::move(addresses), console);
    if (options.campaign.tls != Campaign::Tls::none) EKIDEN_TRY(run.prepare_tls());
    const int status = run.send_all(options.sessions);
    if (status == 0 && options.settings.shows_counter) console.count("\n");
    return status;
}

}  // namespace

int smtp_source_main(int argc, char** argv)
{
    Console console(argv[0]);
    SourceOptions options;
    const auto operands = parse_options<SourceOptions>(argc, argv, rows, options);
    if (!operands) return console.fatal(operands.error().text().empty() ? usage(argv[0]) : operands.error().text());
    if (argc - *operands != 1) return console.fatal(usage(argv[0]));

    const auto status = send_everything(options, argv[*operands], console);
    return status ? *status : console.fatal(status.error().text());
}

}  // namespace ekiden::tools
