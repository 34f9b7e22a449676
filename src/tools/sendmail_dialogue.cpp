#include "tools/sendmail_dialogue.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mime/date.hpp"
#include "smtp/command.hpp"
#include "smtp/dot_stream.hpp"
#include "smtp/extensions.hpp"
#include "smtp/paths.hpp"
#include "tools/sendmail_submit.hpp"

#include <cerrno>
#include <optional>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr std::size_t max_recipients = 100'000;    // a bound of the machine; postdrop's header limit comes soon after
constexpr auto client = "localhost[127.0.0.1]";

class Dialogue {
public:
    Dialogue(Voice& voice, const config::Settings& settings, std::string config_directory)
        : voice_(voice), settings_(settings), config_directory_(std::move(config_directory)),
          log_(settings.str("syslog_name") + "/smtpd"), hostname_(settings.str("myhostname")),
          line_limit_(static_cast<std::size_t>(std::max<std::int64_t>(settings.integer("line_length_limit"), 512))),
          size_limit_(static_cast<std::uint64_t>(settings.integer("message_size_limit")))
    {
    }

    int run();

private:
    using Handler = bool (Dialogue::*)(const smtp::Command&);
    struct Verb {
        std::string_view name;
        Handler handler;
    };
    static const Verb verbs[];

    bool on_helo(const smtp::Command& command) { return greet(command, false); }
    bool on_ehlo(const smtp::Command& command) { return greet(command, true); }
    bool greet(const smtp::Command& command, bool is_extended);
    bool on_mail(const smtp::Command& command);
    bool on_rcpt(const smtp::Command& command);
    bool on_data(const smtp::Command& command);
    bool on_bdat(const smtp::Command& command);
    bool on_rset(const smtp::Command& command);
    bool on_noop(const smtp::Command&) { return say(250, "2.0.0", "Ok"); }
    bool on_vrfy(const smtp::Command& command);
    bool on_etrn(const smtp::Command& command);
    bool on_quit(const smtp::Command&);
    bool on_starttls(const smtp::Command&) { return !say(502, "5.5.1", "Error: command not implemented"); }
    bool on_auth(const smtp::Command&) { return !say(503, "5.5.1", "Error: authentication not enabled"); }
    bool on_xclient(const smtp::Command&) { return !say(550, "5.7.0", "Error: insufficient authorization"); }
    bool on_unknown(const smtp::Command& command);

    bool say(int code, std::string_view enhanced, std::string_view text);   // true
    bool refuse(int code, std::string_view enhanced, std::string_view text) { return !say(code, enhanced, text); }
    bool refuse(const smtp::Reply& reply);
    void flush();
    bool fill();
    std::optional<std::string> read_line();
    bool begin_content();          // the submission exists; false: refused, and said so
    bool write(std::string_view content);
    bool finish_message(const std::string& size_text);
    void reset();
    void log(const std::string& text) const;      // where the caller may write there
    void log_end() const;

    struct Transaction {
        bool has_sender = false, is_chunked = false, has_failed = false;
        mail::Maildrop header;
        std::optional<Submission> submission;
        std::optional<Error> problem;      // told after the content has been heard
        std::uint64_t size = 0;            // bytes of content
        smtp::ChunkDecoder chunks;
    };

    Voice& voice_;
    const config::Settings& settings_;
    const std::string config_directory_;
    Logger log_;
    const std::string hostname_;
    const std::size_t line_limit_;
    const std::uint64_t size_limit_;
    std::string input_, output_, helo_, protocol_ = "SMTP";
    std::size_t input_at_ = 0;
    Transaction transaction_;
    bool has_quit_ = false;
    std::uint32_t ok_counts_[16] = {}, counts_[16] = {};
};

// In the order of the disconnect line; the last row is for everything else.
const Dialogue::Verb Dialogue::verbs[] = {
    {"helo", &Dialogue::on_helo}, {"ehlo", &Dialogue::on_ehlo}, {"starttls", &Dialogue::on_starttls}, {"auth", &Dialogue::on_auth},
    {"mail", &Dialogue::on_mail}, {"rcpt", &Dialogue::on_rcpt}, {"data", &Dialogue::on_data},         {"bdat", &Dialogue::on_bdat},
    {"rset", &Dialogue::on_rset}, {"noop", &Dialogue::on_noop}, {"vrfy", &Dialogue::on_vrfy},         {"etrn", &Dialogue::on_etrn},
    {"quit", &Dialogue::on_quit}, {"xclient", &Dialogue::on_xclient}, {"xforward", &Dialogue::on_xclient}, {"unknown", &Dialogue::on_unknown},
};

int Dialogue::run()
{
    log(fmt::format("connect from {}", client));
    output_ += "220 " + settings_.str("smtpd_banner") + "\r\n";
    while (!has_quit_) {
        auto line = read_line();
        if (!line) break;
        const smtp::Command command = smtp::parse_command(*line);
        if (command.verb.empty()) {
            say(500, "5.5.2", "Error: bad syntax");
            continue;
        }
        std::size_t row = 0;
        while (row + 1 < std::size(verbs) && !base::equal_ignoring_case(verbs[row].name, command.verb)) ++row;
        ++counts_[row];
        if ((this->*verbs[row].handler)(command)) ++ok_counts_[row];
    }
    flush();
    log_end();
    return 0;
}

void Dialogue::log(const std::string& text) const
{
    if (voice_.has_log()) log_.write(base::LogLevel::info, text);
}

void Dialogue::log_end() const
{
    std::string text;
    std::uint32_t ok = 0, total = 0;
    auto add = [&](std::string_view name, std::uint32_t good, std::uint32_t all) {
        text += fmt::format(" {}={}", name, good);
        if (good != all) text += fmt::format("/{}", all);
    };
    for (std::size_t row = 0; row < std::size(verbs); ++row) {
        if (counts_[row] == 0) continue;
        add(verbs[row].name, ok_counts_[row], counts_[row]);
        ok += ok_counts_[row];
        total += counts_[row];
    }
    add("commands", ok, total);
    log(fmt::format("disconnect from {}{}", client, text));
}

bool Dialogue::say(int code, std::string_view enhanced, std::string_view text)
{
    smtp::append(output_, smtp::Reply(code, std::string(enhanced), std::string(text)));
    return true;
}

bool Dialogue::refuse(const smtp::Reply& reply)
{
    smtp::append(output_, reply);
    return false;
}

void Dialogue::flush()
{
    if (!base::write_all(STDOUT_FILENO, output_)) has_quit_ = true;   // nobody listens any more
    output_.clear();
}

// More input; what was said goes out first, or both sides would wait. False at the end.
bool Dialogue::fill()
{
    flush();
    if (has_quit_) return false;
    input_.erase(0, input_at_);
    input_at_ = 0;
    char buffer[16384];
    ssize_t count;
    do count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    while (count < 0 && errno == EINTR);
    if (count <= 0) return false;
    input_.append(buffer, static_cast<std::size_t>(count));
    return true;
}

// A line without its end; the rest of one that is too long is dropped.
std::optional<std::string> Dialogue::read_line()
{
    std::string line;
    for (;;) {
        const auto line_feed = input_.find('\n', input_at_);
        const auto end = std::min(line_feed, input_.size());
        if (line.size() < line_limit_)
            line.append(input_, input_at_, std::min(end - input_at_, line_limit_ - line.size()));
        input_at_ = end;
        if (line_feed != std::string::npos) {
            ++input_at_;
            if (line.ends_with('\r')) line.pop_back();
            return line;
        }
        if (!fill()) return line.empty() ? std::nullopt : std::optional(std::move(line));
    }
}

void Dialogue::reset() { transaction_ = Transaction(); }

bool Dialogue::greet(const smtp::Command& command, bool is_extended)
{
    if (command.arguments.empty())
        return refuse(501, "", is_extended ? "Syntax: EHLO hostname" : "Syntax: HELO hostname");
    reset();
    helo_ = command.arguments;
    protocol_ = is_extended ? "ESMTP" : "SMTP";
    if (!is_extended) return say(250, "", hostname_);
    smtp::Reply reply(250, hostname_);
    std::vector<std::string> unknown;
    bool is_silent = false;
    smtp::Extensions hidden =
        smtp::parse_extension_list(settings_.str("smtpd_discard_ehlo_keywords"), unknown, is_silent);
    if (settings_.boolean("disable_vrfy_command")) hidden |= smtp::ext_vrfy;
    if (!settings_.boolean("smtputf8_enable")) hidden |= smtp::ext_smtputf8;
    const std::pair<smtp::Extensions, std::string> offered[] = {
        {smtp::ext_pipelining, "PIPELINING"}, {smtp::ext_size, size_limit_ > 0 ? "SIZE " + std::to_string(size_limit_) : "SIZE"},
        {smtp::ext_vrfy, "VRFY"},             {smtp::ext_etrn, "ETRN"},
        {smtp::ext_enhanced_status, "ENHANCEDSTATUSCODES"}, {smtp::ext_8bitmime, "8BITMIME"},
        {smtp::ext_dsn, "DSN"},               {smtp::ext_smtputf8, "SMTPUTF8"},
        {smtp::ext_chunking, "CHUNKING"},
    };
    for (const auto& [bit, word] : offered)
        if (!(hidden & bit)) reply.lines.push_back(word);
    smtp::append(output_, reply);
    return true;
}

bool Dialogue::on_mail(const smtp::Command& command)
{
    if (transaction_.has_sender) return refuse(503, "5.5.1", "Error: nested MAIL command");
    smtp::Path path = smtp::parse_path(command.arguments, "FROM", false);
    if (path.problem == smtp::Path::Problem::bad_command) return refuse(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    if (path.problem != smtp::Path::Problem::none) return refuse(501, "5.1.7", "Bad sender address syntax");
    auto parameters = smtp::parse_mail_parameters(path, {});
    if (!parameters) return refuse(parameters.error());
    if (size_limit_ > 0 && parameters->size > size_limit_)
        return refuse(552, "5.3.4", "Message size exceeds fixed limit");
    mail::Maildrop& header = transaction_.header;
    header.sender = std::move(path.address);
    header.body = parameters->body;
    header.is_smtputf8 = parameters->is_smtputf8;
    header.dsn_return = parameters->dsn_return;
    header.dsn_envid = std::move(parameters->envid);
    transaction_.has_sender = true;
    return say(250, "2.1.0", "Ok");
}

bool Dialogue::on_rcpt(const smtp::Command& command)
{
    if (transaction_.is_chunked) return refuse(503, "5.5.1", "Error: RCPT after BDAT");
    if (!transaction_.has_sender) return refuse(503, "5.5.1", "Error: need MAIL command");
    smtp::Path path = smtp::parse_path(command.arguments, "TO", false);
    if (path.problem == smtp::Path::Problem::bad_command) return refuse(501, "5.5.4", "Syntax: RCPT TO:<address>");
    if (path.problem != smtp::Path::Problem::none || path.address.empty())
        return refuse(501, "5.1.3", "Bad recipient address syntax");
    std::string_view unknown_notify;
    auto parameters = smtp::parse_recipient_parameters(path, {}, unknown_notify);
    if (!parameters) return refuse(parameters.error());
    auto& recipients = transaction_.header.recipients;
    if (recipients.size() >= max_recipients) return refuse(452, "4.5.3", "Error: too many recipients");
    mail::Recipient recipient;
    recipient.address = std::move(path.address);
    recipient.notify = parameters->notify;
    recipients.push_back(std::move(recipient));
    return say(250, "2.1.5", "Ok");
}

bool Dialogue::begin_content()
{
    if (!transaction_.has_sender) return refuse(503, "5.5.1", "Error: need RCPT command");
    if (transaction_.header.recipients.empty()) return refuse(554, "5.5.1", "Error: no valid recipients");
    auto started = Submission::start(settings_, config_directory_, transaction_.header);
    if (!started) {
        voice_.warning(started.error().text());
        reset();
        return refuse(451, "4.3.0", "Error: queue file write error");
    }
    transaction_.submission.emplace(std::move(*started));
    log(fmt::format("{}: client={}", transaction_.submission->name(), client));
    const auto& recipients = transaction_.header.recipients;
    std::string received = fmt::format("Received: from {} (localhost [127.0.0.1])\n\tby {} ({}) with {} id {}",
                                       base::printable(helo_.empty() ? "localhost" : helo_), hostname_,
                                       settings_.str("mail_name"), protocol_, transaction_.submission->name());
    if (recipients.size() == 1) received += "\n\tfor <" + mail::quote_address(recipients[0].address) + ">; ";
    else received += ";\n\t";
    return write(received + mime::format_date(base::wall_now()) + "\n");
}

// A postdrop that refuses is told about when the whole message has been heard.
bool Dialogue::write(std::string_view content)
{
    transaction_.size += content.size();
    if (!transaction_.problem && size_limit_ > 0 && transaction_.size > size_limit_)
        transaction_.problem = Error(ErrorCode::too_long, "message file too big");
    if (transaction_.problem) return true;
    if (auto written = transaction_.submission->write(content); !written)
        transaction_.problem = std::move(written).error();
    return true;
}

bool Dialogue::on_data(const smtp::Command& command)
{
    if (transaction_.is_chunked) return refuse(503, "5.5.1", "Error: DATA after BDAT");
    if (!transaction_.header.recipients.empty() && !command.arguments.empty())
        return refuse(501, "5.5.4", "Syntax: DATA");
    if (!begin_content()) return false;
    say(354, "", "End data with <CR><LF>.<CR><LF>");
    smtp::DotDecoder decoder(smtp::BareNewline::accept);    // programs write what their host's lines end in
    for (bool is_complete = false; !is_complete;) {
        if (input_at_ == input_.size() && !fill()) {
            has_quit_ = true;
            reset();
            return false;
        }
        std::string_view wire = std::string_view(input_).substr(input_at_);
        std::string content;
        is_complete = decoder.decode(wire, content);
        input_at_ = input_.size() - wire.size();
        write(content);
    }
    return finish_message("");
}

bool Dialogue::on_bdat(const smtp::Command& command)
{
    smtp::ChunkHeader chunk;
    if (!smtp::parse_chunk_header(command.arguments, chunk)) {
        has_quit_ = true;    // where the next command begins can no longer be known
        return refuse(521, "5.5.4", "Syntax: BDAT count [LAST]");
    }
    if (!transaction_.is_chunked && !transaction_.has_failed) transaction_.has_failed = !begin_content();
    else if (transaction_.has_failed)
        say(551, "5.0.0", fmt::format("Discarded {} bytes after earlier error", chunk.size));
    transaction_.is_chunked = true;
    for (std::uint64_t left = chunk.size; left > 0;) {
        if (input_at_ == input_.size() && !fill()) {
            has_quit_ = true;
            return false;
        }
        const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left, input_.size() - input_at_));
        std::string content;
        transaction_.chunks.decode(std::string_view(input_).substr(input_at_, take), content);
        if (!transaction_.has_failed) write(content);
        input_at_ += take;
        left -= take;
    }
    const std::string size_text = fmt::format("{} bytes ", chunk.size);
    if (transaction_.has_failed) {
        if (chunk.is_last) reset();
        return false;
    }
    if (!chunk.is_last) return say(250, "2.0.0", fmt::format("Ok: {} bytes", chunk.size));
    std::string rest;
    transaction_.chunks.finish(rest);
    write(rest);
    return finish_message(size_text);
}

bool Dialogue::finish_message(const std::string& size_text)
{
    auto& t = transaction_;
    if (!t.problem) {
        if (auto finished = t.submission->finish(); !finished) t.problem = std::move(finished).error();
    }
    const std::string name = t.submission->name();
    const std::optional<Error> problem = std::move(t.problem);
    reset();
    if (!problem)
        return say(250, "2.0.0",
                   size_text.empty() ? "Ok: queued as " + name : fmt::format("Ok: {}queued as {}", size_text, name));
    if (problem->text() == "message file too big") return refuse(552, "5.3.4", "Error: message file too big");
    voice_.warning(problem->text());
    return refuse(451, "4.3.0", "Error: queue file write error");
}

bool Dialogue::on_rset(const smtp::Command& command)
{
    if (!command.arguments.empty()) return refuse(501, "5.5.4", "Syntax: RSET");
    reset();
    return say(250, "2.0.0", "Ok");
}

bool Dialogue::on_vrfy(const smtp::Command& command)
{
    if (settings_.boolean("disable_vrfy_command")) return refuse(502, "5.5.1", "VRFY command is disabled");
    if (command.arguments.empty()) return refuse(501, "5.5.4", "Syntax: VRFY address [SMTPUTF8]");
    std::string_view text = command.arguments, rest = text;
    const std::string_view first = smtp::next_word(rest);
    if (base::equal_ignoring_case(base::trim(rest), "SMTPUTF8")) text = first;
    std::string address;
    if (!smtp::parse_address(text, address) || address.empty())
        return refuse(501, "5.1.3", "Bad recipient address syntax");
    return say(252, "2.0.0", text);
}

bool Dialogue::on_etrn(const smtp::Command& command)
{
    if (transaction_.has_sender) return refuse(503, "5.5.1", "Error: MAIL transaction in progress");
    if (smtp::count_words(command.arguments, 2) != 1) return refuse(500, "", "Syntax: ETRN domain");
    return refuse(458, "", "Unable to queue messages");    // flushing is the running server's
}

bool Dialogue::on_quit(const smtp::Command&)
{
    has_quit_ = true;
    return say(221, "2.0.0", "Bye");
}

bool Dialogue::on_unknown(const smtp::Command& command)
{
    // Message text or another protocol: whoever made the other side say this must not get a second command through.
    const auto forbidden = settings_.list("smtpd_forbidden_commands");
    const bool is_forbidden =
        smtp::looks_like_header(command.verb) || std::ranges::any_of(forbidden, [&](const std::string& word) {
            return base::equal_ignoring_case(word, command.verb);
        });
    if (!is_forbidden) return refuse(500, "5.5.2", "Error: command not recognized");
    has_quit_ = true;
    return refuse(221, "2.7.0", "Error: I can break rules, too. Goodbye.");
}

}  // namespace

int speak_smtp(Voice& voice, const config::Settings& settings, const std::string& config_directory)
{
    return Dialogue(voice, settings, config_directory).run();
}

}  // namespace ekiden::tools
