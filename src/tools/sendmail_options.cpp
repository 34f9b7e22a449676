#include "tools/sendmail_options.hpp"

#include "base/text.hpp"
#include "mail/verp.hpp"

#include <getopt.h>

#include <algorithm>
#include <cstring>

namespace ekiden::tools {

namespace {

using Mode = SendmailOptions::Mode;

constexpr char option_letters[] = "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q::r:tvx";

struct ModeLetter {
    char letter;
    Mode mode;
};
// -bX. Daemons of other make had a host status database to print and purge.
constexpr ModeLetter mode_letters[] = {
    {'m', Mode::enqueue}, {'v', Mode::verify}, {'s', Mode::stand_alone}, {'p', Mode::list_queue}, {'i', Mode::make_aliases},
    {'d', Mode::daemon},  {'l', Mode::daemon}, {'h', Mode::ignore},      {'H', Mode::ignore},
};

// Modes that take no recipients, and how the refusal begins.
struct NoRecipients {
    Mode mode;
    const char* name;
};
constexpr NoRecipients without_recipients[] = {
    {Mode::stand_alone, "stand-alone"}, {Mode::list_queue, "display queue"}, {Mode::make_aliases, "alias initialization"},
    {Mode::flush, "flush queue"},       {Mode::daemon, "daemon"},
};

struct NotifyWord {
    std::string_view word;
    std::uint8_t bit;
};
constexpr NotifyWord notify_words[] = {{"never", mail::notify_never},
                                       {"success", mail::notify_success},
                                       {"failure", mail::notify_failure},
                                       {"delay", mail::notify_delay}};

// "success,failure"; nothing when it is wrong.
std::optional<std::uint8_t> parse_notify(const Voice& voice, std::string_view text)
{
    std::uint8_t bits = 0;
    for (const std::string_view word : base::split_any(text)) {
        const auto* row = std::ranges::find_if(
            notify_words, [&](const NotifyWord& known) { return base::equal_ignoring_case(known.word, word); });
        if (row == std::end(notify_words)) {
            voice.warning(fmt::format("unknown DSN NOTIFY command value \"{}\" in \"{}\"", word, text));
            return std::nullopt;
        }
        bits |= row->bit;
    }
    const bool contradicts = (bits & mail::notify_never) && bits != mail::notify_never;
    if (bits == 0 || contradicts) return std::nullopt;
    return bits;
}

void set_mode(const Voice& voice, SendmailOptions& options, const char* text)
{
    const auto* row = std::ranges::find(mode_letters, text[0], &ModeLetter::letter);
    if (row == std::end(mode_letters)) voice.fatal(fmt::format("unsupported: -b{}", text[0]));
    options.mode = row->mode;
}

// -o: the old one-letter options.
void set_old_option(SendmailOptions& options, const char* text)
{
    switch (text[0]) {
    case 'i': options.dots_are_content = true; break;
    case 'A':
        if (text[1] != '\0') options.aliases.emplace_back(text + 1);
        break;
    case '7': options.body = mail::BodyType::seven_bit; break;
    case '8': options.body = mail::BodyType::eight_bit; break;
    default: break;    // what sendmail's delivery modes, queue folders and error modes were, has no meaning here
    }
}

void set_queue_run(const Voice& voice, SendmailOptions& options, const char* text)
{
    if (text == nullptr) {
        options.mode = Mode::flush;
    } else if (base::is_digit(text[0])) {
        // An interval: the mail system runs its queue by itself.
        if (options.mode == Mode::enqueue) options.mode = Mode::ignore;
    } else if (text[0] == 'I') {
        if (text[1] == '\0') voice.fatal("specify: -qIqueueid");
        options.mode = Mode::flush;
        options.flush_id = text + 1;
    } else if (text[0] == 'R') {
        if (text[1] == '\0') voice.fatal("specify: -qRsitename");
        options.mode = Mode::flush;
        options.flush_site = text + 1;
    } else {
        voice.fatal(fmt::format("-q{} is not implemented", text[0]));
    }
}

// -V was what -XV is now, alone or with its two characters behind it: taken so where it can be no ENVID.
bool take_old_verp(const Voice& voice, SendmailOptions& options, char** argv, std::string_view verp_filter)
{
    const bool is_attached = optarg == argv[::optind - 1] + 2;
    const std::string_view text = optarg;
    if (is_attached ? !mail::are_verp_delimiters(text, verp_filter) : !text.starts_with('-')) return false;
    options.verp_delimiters = is_attached ? text : std::string_view();
    if (!is_attached) --::optind;    // it is an option of its own
    voice.warning(
        fmt::format("option -V{0} is deprecated with Postfix 2.3; specify -XV{0} instead", *options.verp_delimiters));
    return true;
}

Mode mode_of_name(std::string_view name)
{
    if (name == "mailq") return Mode::list_queue;
    if (name == "newaliases") return Mode::make_aliases;
    return Mode::enqueue;
}

}  // namespace

std::string find_config_option(int argc, char** argv)
{
    std::string directory;
    ::optind = 0;    // GNU: start anew
    for (int option; (option = ::getopt(argc, argv, option_letters)) != -1;) {
        if (option == 'V' && optarg != argv[::optind - 1] + 2 && optarg[0] == '-') --::optind;    // see take_old_verp()
        if (option != 'C') continue;
        // Sendmail's -C names a file; ours lie in the folder around it.
        directory = optarg;
        const std::size_t slash = directory.rfind('/');
        if (directory.ends_with(".cf"))
            directory = slash == directory.npos ? "." : directory.substr(0, std::max<std::size_t>(slash, 1));
    }
    return directory;
}

SendmailOptions parse_sendmail_options(const Voice& voice, std::string config_directory, int argc, char** argv,
                                       std::string_view verp_filter)
{
    SendmailOptions options;
    options.config_directory = std::move(config_directory);
    options.mode = mode_of_name(voice.name());
    ::optind = 0;
    for (int option; (option = ::getopt(argc, argv, option_letters)) != -1;) {
        switch (option) {
        case 'B':
            if (std::strcmp(optarg, "8BITMIME") == 0) options.body = mail::BodyType::eight_bit;
            else if (std::strcmp(optarg, "7BIT") == 0) options.body = mail::BodyType::seven_bit;
            else voice.fatal("-B option needs 8BITMIME or 7BIT");
            break;
        case 'F': options.full_name = optarg; break;
        case 'G': options.is_gateway = true; break;
        case 'I': options.mode = Mode::make_aliases; break;
        case 'N':
            if (const auto notify = parse_notify(voice, optarg)) options.notify = *notify;
            else voice.warning("bad -N option value -- ignored");
            break;
        case 'R':
            if (base::equal_ignoring_case(optarg, "full")) options.dsn_return = mail::DsnReturn::full;
            else if (base::equal_ignoring_case(optarg, "hdrs")) options.dsn_return = mail::DsnReturn::headers;
            else voice.warning("bad -R option value -- ignored");
            break;
        case 'V':
            if (take_old_verp(voice, options, argv, verp_filter)) break;
            if (*optarg != '\0' && std::strlen(optarg) <= 100)
                options.envid = optarg;  // RFC 3461 4.4: 100 characters
            else voice.warning("bad syntax in -V option value -- ignored");
            break;
        case 'X':
            if (optarg[0] != 'V') voice.fatal(fmt::format("unsupported: -X{}", optarg[0]));
            if (optarg[1] != '\0' && !mail::are_verp_delimiters(optarg + 1, verp_filter))
                voice.fatal(fmt::format("-V requires two characters from {}", verp_filter));
            options.verp_delimiters = optarg + 1;
            break;
        case 'b': set_mode(voice, options, optarg); break;
        case 'f': case 'r': options.sender = optarg; break;
        case 'i': options.dots_are_content = true; break;
        case 'n': voice.fatal("-n option not supported");
        case 'o': set_old_option(options, optarg); break;
        case 'q': set_queue_run(voice, options, optarg); break;
        case 't': options.reads_recipients = true; break;
        case 'v': ++options.verbosity; break;
        case '?': voice.fatal(fmt::format("usage: {} [options]", voice.name()));
        default: break;    // -A -C -L -O -U -c -e -h -m -p -x: nothing to do
        }
    }
    for (int i = ::optind; i < argc; ++i) options.recipients.emplace_back(argv[i]);

    if (options.mode == Mode::verify && options.reads_recipients) voice.fatal("-t option cannot be used with -bv");
    if (options.mode != Mode::enqueue && options.mode != Mode::verify && options.reads_recipients)
        voice.fatal("-t can be used only in delivery mode");
    for (const NoRecipients& row : without_recipients) {
        if (row.mode == options.mode && !options.recipients.empty())
            voice.fatal(fmt::format("{} mode requires no recipient", row.name));
    }
    return options;
}

}  // namespace ekiden::tools
