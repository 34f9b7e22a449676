// sendmail(1), mailq(1), newaliases(1): the face that every program on a Unix host knows. Runs with no rights of its own:
// mail goes through postdrop, the queue is shown by postqueue.
#include "base/text.hpp"
#include "mail/address.hpp"
#include "mime/addresses.hpp"
#include "tools/commands.hpp"
#include "tools/postmap.hpp"
#include "tools/sendmail_dialogue.hpp"
#include "tools/sendmail_input.hpp"
#include "tools/sendmail_options.hpp"
#include "tools/sendmail_submit.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

using Mode = SendmailOptions::Mode;

constexpr int exit_try_later = 75;                       // EX_TEMPFAIL: every refusal of sendmail
constexpr std::size_t max_header = 32 << 20;             // bytes held while recipients are looked for

// Becomes another command of ours, which has the rights that this one lacks.
[[noreturn]] void become(const Voice& voice, const config::Settings& settings, const SendmailOptions& options,
                         std::vector<std::string> words)
{
    const std::string path = find_command(settings, words[0]);
    if (!options.config_directory.empty()) words.insert(words.begin() + 1, {"-c", options.config_directory});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(path.c_str(), arguments.data());
    voice.fatal(Error::from_errno("execvp", path).text());
}

// "-bd": the mail system is started, as `postfix start` does it; whether it ran already makes no difference to the caller.
int start_mail_system(const Voice& voice, const config::Settings& settings, const SendmailOptions& options)
{
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) voice.fatal(Error::from_errno("fork").text());
    if (child == 0) {
        // Without a terminal its words go to the log alone.
        if (!::isatty(STDERR_FILENO)) {
            const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
            ::dup2(nowhere, STDERR_FILENO);
        }
        become(voice, settings, options, {"postfix", "start"});
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return 0;
}

struct Caller {
    std::string login, full_name;
};

// The GECOS field up to the first comma, "&" being the login name with a capital.
std::string name_of_gecos(std::string_view gecos, std::string_view login)
{
    std::string name;
    for (const char c : gecos.substr(0, gecos.find(','))) {
        if (c != '&') {
            name += c;
        } else if (!login.empty()) {
            name += base::to_upper(login[0]);
            name += login.substr(1);
        }
    }
    return name;
}

Caller find_caller(const Voice& voice, const SendmailOptions& options)
{
    const passwd* user = ::getpwuid(::getuid());
    // Who says what the sender is needs no name.
    if (user == nullptr && options.sender) return {*options.sender, options.full_name.value_or("")};
    if (user == nullptr) voice.fatal(fmt::format("unable to find out your login name: user id {}", ::getuid()));
    Caller caller{user->pw_name, {}};
    const char* given = std::getenv("NAME");
    caller.full_name = given != nullptr ? given : name_of_gecos(user->pw_gecos ? user->pw_gecos : "", caller.login);
    return caller;
}

class Sender {
public:
    Sender(Voice& voice, const config::Settings& settings, const SendmailOptions& options)
        : voice_(voice), settings_(settings), options_(options), caller_(find_caller(voice, options))
    {
    }

    int send()
    {
        make_header();
        const bool is_verify = options_.mode == Mode::verify;
        const std::string opening = is_verify ? probe() : options_.reads_recipients ? read_header() : std::string();
        if (header_.recipients.empty()) refuse_without_recipients();
        auto submission = Submission::start(settings_, options_.config_directory, header_);
        if (!submission) fail_with(submission.error());
        if (auto written = submission->write(opening); !written) fail_with(written.error());
        while (!is_verify && !input_.has_ended()) {
            if (auto written = submission->write(read_some()); !written) fail_with(written.error());
        }
        if (auto finished = submission->finish(); !finished) fail_with(finished.error());
        if (header_.purpose != mail::Purpose::deliver) {
            std::printf("Mail Delivery Status Report will be mailed to <%s>.\n",
                        mail::quote_address(header_.sender).c_str());
        }
        return 0;
    }

private:
    void make_header()
    {
        header_.sender = caller_.login;
        if (options_.sender) {
            std::vector<std::string> addresses = parse_sender(*options_.sender);
            if (addresses.size() > 1) voice_.warning("-f option specified malformed sender: " + *options_.sender);
            header_.sender = addresses.empty() ? "" : addresses[0];
        }
        header_.full_name = one_line(options_.full_name.value_or(caller_.full_name));
        header_.is_gateway = options_.is_gateway;
        header_.body = options_.body;
        header_.dsn_return = options_.dsn_return;
        header_.dsn_envid = options_.envid;
        if (options_.mode == Mode::verify) header_.purpose = mail::Maildrop::Purpose::verify;
        else if (options_.verbosity == 1) header_.purpose = mail::Maildrop::Purpose::trace;
        if (options_.verp_delimiters) {
            header_.verp_delimiters = options_.verp_delimiters->empty() ? settings_.str("default_verp_delimiters")
                                                                        : *options_.verp_delimiters;
            if (header_.sender.empty())
                voice_.fatal(fmt::format("({}): -V option requires non-null sender address", ::getuid()));
        }
        for (const std::string& text : options_.recipients) {
            auto addresses = mime::parse_address_list(text);
            // A word without an address is the null address; who gets its mail is told by $empty_address_recipient.
            if (addresses.empty()) addresses.emplace_back();
            for (std::string& address : addresses) add_recipient(std::move(address));
        }
    }

    // An unclosed "<" is a character of a strange name.
    static std::vector<std::string> parse_sender(const std::string& text)
    {
        if (text.find('<') != text.npos && text.find('>') == text.npos) return {text};
        return mime::parse_address_list(text);
    }

    void add_recipient(std::string address)
    {
        mail::Recipient recipient;
        recipient.address = std::move(address);
        recipient.notify = options_.notify;
        header_.recipients.push_back(std::move(recipient));
    }

    // -t: the header is held until it is known to whom it goes.
    std::string read_header()
    {
        std::string content;
        std::size_t searched = 0;
        while (!input_.has_ended()) {
            content += read_some();
            if (content.starts_with('\n')) break;
            const auto end = content.find("\n\n", searched);
            if (end != std::string::npos) break;
            if (content.size() > max_header) refuse("message header too big");
            searched = content.empty() ? 0 : content.size() - 1;
        }
        for (std::string& address : header_recipients(content)) add_recipient(std::move(address));
        return content;
    }

    // -bv: a message that is never delivered, for the report to speak of.
    std::string probe() const
    {
        std::string text = "From: " + mail::quote_address(header_.sender) + "\nSubject: probe\nTo:";
        for (std::size_t i = 0; i < header_.recipients.size(); ++i) {
            text += i == 0 ? " " : ",\n\t";
            text += mail::quote_address(header_.recipients[i].address);
        }
        return header_.recipients.empty() ? "" : text + "\n";
    }

    // Some content from standard input; empty at its end, or when more must come.
    std::string read_some()
    {
        std::string content;
        const ssize_t count = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
        if (count < 0 && errno == EINTR) return content;
        if (count < 0) refuse(Error::from_errno("error reading input").text());
        if (count == 0) input_.finish(content);
        else input_.feed(std::string_view(buffer_).substr(0, static_cast<std::size_t>(count)), content);
        return content;
    }

    [[noreturn]] void refuse_without_recipients()
    {
        if (options_.reads_recipients) refuse("No recipient addresses found in message header");
        // Whoever pipes the message in should hear of this, not of a broken pipe.
        while (options_.mode == Mode::enqueue && !::isatty(STDIN_FILENO) && !input_.has_ended()) (void)read_some();
        refuse("Recipient addresses must be specified on the command line or via the -t option");
    }
    [[noreturn]] void refuse(std::string_view text)
    {
        voice_.fatal(fmt::format("{}({}): {}", header_.sender, ::getuid(), text));
    }
    [[noreturn]] void fail_with(const Error& error)
    {
        if (error.text() == "message file too big") voice_.warning("mail_stream_cleanup: close error");
        refuse(error.text());
    }

    static std::string one_line(std::string text)
    {
        for (char& c : text) {
            if (c == '\n' || c == '\r') c = ' ';
        }
        return text;
    }

    Voice& voice_;
    const config::Settings& settings_;
    const SendmailOptions& options_;
    Caller caller_;
    mail::Maildrop header_;
    InputFilter input_{parse_line_ends(settings_.str("sendmail_fix_line_endings")), !options_.dots_are_content};
    std::string buffer_ = std::string(65536, '\0');
};

// Somebody who may not choose the configuration of the set-gid commands is told so here, before anything is read.
bool has_borrowed_helpers()
{
    struct stat found{};
    const std::string path = beside_this_program("postdrop");
    return ::stat(path.c_str(), &found) == 0 && (found.st_mode & S_ISGID) != 0;
}

}  // namespace

int sendmail_main(int argc, char** argv)
{
    std::string_view name = argv[0];
    std::string own_name(name.substr(name.rfind('/') + 1));
    argv[0] = own_name.data();
    Voice voice(own_name, exit_try_later, "sendmail");

    const std::string directory = find_config_option(argc, argv);
    if (!directory.empty() && ::geteuid() != 0 && has_borrowed_helpers()) require_known_directory(voice, directory);
    const config::SettingsPtr settings = load_settings(voice, directory);
    const SendmailOptions options =
        parse_sendmail_options(voice, directory, argc, argv, settings->str("verp_delimiter_filter"));

    switch (options.mode) {
    case Mode::ignore: return 0;
    case Mode::daemon: return start_mail_system(voice, *settings, options);
    case Mode::make_aliases: return rebuild_aliases(options.config_directory, options.aliases, options.verbosity);
    case Mode::list_queue: become(voice, *settings, options, {"postqueue", "-p"});
    case Mode::flush:
        if (!options.flush_site.empty()) become(voice, *settings, options, {"postqueue", "-s", options.flush_site});
        if (!options.flush_id.empty()) become(voice, *settings, options, {"postqueue", "-i", options.flush_id});
        become(voice, *settings, options, {"postqueue", "-f"});
    case Mode::enqueue: case Mode::verify: case Mode::stand_alone: break;
    }
    check_user(voice, *settings, "authorized_submit_users", "submit mail");
    if (options.mode == Mode::stand_alone) return speak_smtp(voice, *settings, options.config_directory);
    return Sender(voice, *settings, options).send();
}

}  // namespace ekiden::tools
