#include "tools/smtp_source_session.hpp"

#include "base/text.hpp"
#include "sasl/base64.hpp"

#include <fmt/format.h>

#include <ctime>
#include <iterator>
#include <utility>

#include <unistd.h>

namespace ekiden::tools {

namespace {

// A date changes once a second; a load test makes thousands of messages in that time.
std::string_view current_date()
{
    static std::time_t last = 0;
    static char text[64];
    const std::time_t now = std::time(nullptr);
    if (now != last) {
        last = now;
        std::tm parts{};
        ::localtime_r(&now, &parts);
        std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S %z (%Z)", &parts);
    }
    return text;
}

constexpr int reply_class(int code) { return code / 100; }

}  // namespace

void SourceSession::start()
{
    state_ = State::greeting;
    is_encrypted_ = false;
}

std::string_view SourceSession::activity() const
{
    switch (state_) {
    case State::greeting: return "reading server greeting";
    case State::helo: return "sending HELO";
    case State::starttls: return "starting TLS";
    case State::login:
    case State::login_name:
    case State::login_password: return "logging in";
    case State::mail: return "sending sender";
    case State::rcpt: return "sending recipient";
    case State::data: return "sending DATA command";
    case State::rset: return "sending RSET";
    case State::body:
    case State::quit: break;
    }
    return "sending message";
}

std::string_view SourceSession::rejection() const
{
    switch (state_) {
    case State::greeting: return "rejected at server banner";
    case State::helo: return "HELO rejected";
    case State::starttls: return "STARTTLS rejected";
    case State::login:
    case State::login_name:
    case State::login_password: return "login rejected";
    case State::mail: return "sender rejected";
    case State::rcpt: return "recipient rejected";
    case State::data: return "data rejected";
    case State::body: return "end of data rejected";
    case State::rset: return "rset rejected";
    case State::quit: break;
    }
    return {};
}

SourceSession::Step SourceSession::on_reply(int code, std::string& out)
{
    if (state_ == State::quit) return {.next = Next::reconnect};

    const bool is_continued = state_ == State::data || state_ == State::login_name || state_ == State::login_password;
    const bool is_accepted = reply_class(code) == (is_continued ? 3 : 2);
    Step step;
    if (!is_accepted) step.rejected = rejection();
    // 421 announces that the connection ends; the message is given up, the next one gets a new connection.
    if (!is_accepted && code == 421) {
        if (campaign_.ledger && state_ == State::body)
            while (final_replies_left_ > 0) enter_answer(false), --final_replies_left_;
        step.next = Next::reconnect;
        return step;
    }

    const auto follow = [&](Step next) {
        step.next = next.next;
        step.is_delivered |= next.is_delivered;
    };
    switch (state_) {
    case State::greeting:
        follow(campaign_.sends_helo ? say_helo(out) : say_mail(out));
        break;
    case State::helo: follow(after_helo(out)); break;
    // Without what was asked for, the session would measure something else.
    case State::starttls:
        if (is_accepted) step.next = Next::start_tls;
        else follow(finish(out));
        break;
    case State::login_name:
        if (!is_accepted) {
            follow(finish(out));
            break;
        }
        state_ = State::login_password;
        out += sasl::encode_base64(campaign_.user) + "\r\n";
        break;
    case State::login_password:
        if (!is_accepted) {
            follow(finish(out));
            break;
        }
        state_ = State::login;
        out += sasl::encode_base64(campaign_.password) + "\r\n";
        break;
    case State::login: follow(is_accepted ? after_login(out) : finish(out)); break;
    case State::mail: follow(is_accepted ? say_recipient(out) : abandon_message(out)); break;
    case State::rcpt:
        recipients_accepted_ += is_accepted;
        if (is_accepted && campaign_.ledger) accepted_recipients_.push_back(recipient_);
        if (recipients_left_ > 0) {
            follow(say_recipient(out));
        } else if (recipients_accepted_ > 0) {
            state_ = State::data;
            out += "DATA\r\n";
        } else {
            follow(abandon_message(out));
        }
        break;
    case State::data:
        if (!is_accepted) {
            follow(abandon_message(out));
            break;
        }
        state_ = State::body;
        final_replies_left_ = campaign_.is_lmtp ? recipients_accepted_ : 1;  // RFC 2033 4.2
        if (!campaign_.has_own_headers) append_headers(out);
        if (campaign_.ledger) mark_message(out);
        step.next = Next::send_body;
        break;
    case State::body:
        step.is_delivered = is_accepted && final_replies_left_ == 1;
        if (campaign_.ledger) enter_answer(is_accepted);
        if (--final_replies_left_ == 0) follow(end_message(out));
        break;
    case State::rset: follow(end_message(out)); break;
    case State::quit: break;  // answered above
    }
    return step;
}

SourceSession::Step SourceSession::say_helo(std::string& out)
{
    state_ = State::helo;
    const bool wants_extensions = campaign_.tls != Campaign::Tls::none || campaign_.login != Campaign::Login::none;
    const std::string_view verb = campaign_.is_lmtp ? "LHLO" : wants_extensions ? "EHLO" : "HELO";
    fmt::format_to(std::back_inserter(out), "{} {}\r\n", verb, campaign_.host_name);
    return {};
}

SourceSession::Step SourceSession::after_helo(std::string& out)
{
    if (campaign_.tls == Campaign::Tls::starttls && !is_encrypted_) {
        state_ = State::starttls;
        out += "STARTTLS\r\n";
        return {};
    }
    return campaign_.login == Campaign::Login::none ? after_login(out) : log_in(out);
}

SourceSession::Step SourceSession::tls_started(std::string& out)
{
    is_encrypted_ = true;
    return state_ == State::greeting ? Step{} : say_helo(out);
}

SourceSession::Step SourceSession::log_in(std::string& out)
{
    if (campaign_.login == Campaign::Login::login) {
        state_ = State::login_name;
        out += "AUTH LOGIN\r\n";
        return {};
    }
    state_ = State::login;
    using namespace std::string_literals;
    out += "AUTH PLAIN " + sasl::encode_base64("\0"s + campaign_.user + "\0"s + campaign_.password) + "\r\n";
    return {};
}

SourceSession::Step SourceSession::after_login(std::string& out)
{
    if (campaign_.sends_mail) return say_mail(out);
    Step step = finish(out);
    step.is_delivered = true;
    return step;
}

SourceSession::Step SourceSession::say_mail(std::string& out)
{
    state_ = State::mail;
    message_number_ = campaign_.messages_left;
    recipients_left_ = campaign_.recipients_per_message;
    recipients_accepted_ = 0;
    accepted_recipients_.clear();
    fmt::format_to(std::back_inserter(out), "MAIL FROM:<{}>\r\n", campaign_.sender);
    return {};
}

SourceSession::Step SourceSession::say_recipient(std::string& out)
{
    state_ = State::rcpt;
    // -r counts down and leaves the last one bare; -N never repeats a number in the whole run.
    recipient_.clear();
    auto end = std::back_inserter(recipient_);
    if (campaign_.numbers_every_recipient) fmt::format_to(end, "{}", ++campaign_.recipients_numbered);
    else if (recipients_left_ > 1) fmt::format_to(end, "{}", recipients_left_);
    recipient_ += campaign_.recipient;
    fmt::format_to(std::back_inserter(out), "RCPT TO:<{}>\r\n", recipient_);
    --recipients_left_;
    return {};
}

SourceSession::Step SourceSession::end_message(std::string& out)
{
    if (campaign_.keeps_connection) return {.next = Next::pause};
    return finish(out);
}

SourceSession::Step SourceSession::abandon_message(std::string& out)
{
    state_ = State::rset;
    out += "RSET\r\n";
    return {};
}

SourceSession::Step SourceSession::begin_message(std::string& out) { return say_mail(out); }

SourceSession::Step SourceSession::finish(std::string& out)
{
    state_ = State::quit;
    out += "QUIT\r\n";
    return {};
}

void SourceSession::append_headers(std::string& out) const
{
    fmt::format_to(std::back_inserter(out),
                   "From: <{}>\r\nTo: <{}>\r\nDate: {}\r\nMessage-Id: <{:04x}.{:04x}.{:04x}@{}>\r\n{}\r\n",
                   campaign_.sender, campaign_.recipient, current_date(), ::getpid(), serial_, message_number_,
                   campaign_.host_name, campaign_.headers_after_id);
}

// The mark goes in front of what `out` holds of the message; the rest of it is the campaign's content.
void SourceSession::mark_message(std::string& out)
{
    constexpr std::string_view final_dot = ".\r\n";
    ContentDigest digest;
    digest.add(out);
    digest.add(std::string_view(campaign_.content).substr(0, campaign_.content.size() - final_dot.size()));
    ledger_digest_ = digest.hex();
    ledger_id_ = fmt::format("{}/{}", campaign_.ledger_run, ++campaign_.ledger_sequence);
    out.insert(0, fmt::format("{}: {}/{}\r\n", ledger_header, ledger_id_, ledger_digest_));
    for (const std::string& recipient : accepted_recipients_)
        campaign_.ledger->add("offered", ledger_digest_, ledger_id_, recipient);
}

// The final dot is answered once, or in LMTP once for each recipient; final_replies_left_ still counts this answer.
void SourceSession::enter_answer(bool is_accepted)
{
    const std::string_view kind = is_accepted ? "accepted" : "refused";
    const auto first =
        campaign_.is_lmtp ? accepted_recipients_.size() - static_cast<std::size_t>(final_replies_left_) : 0;
    const auto last = campaign_.is_lmtp ? first + 1 : accepted_recipients_.size();
    for (std::size_t i = first; i < last; ++i)
        campaign_.ledger->add(kind, ledger_digest_, ledger_id_, accepted_recipients_[i]);
}

std::string make_payload(int length)
{
    constexpr std::size_t row = 80;
    std::string payload(static_cast<std::size_t>(length), 'X');
    std::size_t number = 1;
    for (std::size_t start = 0; start + row < payload.size(); start += row, ++number) {
        const std::string label = fmt::format("{}", number);
        payload.replace(start, label.size(), label);
        payload.replace(start + row - 2, 2, "\r\n");
    }
    return payload;
}

std::string default_payload()
{
    return "La de da de da 1.\r\nLa de da de da 2.\r\nLa de da de da 3.\r\nLa de da de da 4.";
}

std::string make_content(std::string_view file)
{
    std::string content;
    content.reserve(file.size() + file.size() / 32);
    while (!file.empty()) {
        const std::size_t end = file.find('\n');
        const std::string_view line = file.substr(0, end);
        if (line.starts_with('.')) content += '.';
        content += line;
        content += "\r\n";
        file.remove_prefix(end == file.npos ? file.size() : end + 1);
    }
    return content;
}

std::optional<ReplyReader::Reply> ReplyReader::next()
{
    for (;;) {
        const std::size_t end = buffer_.find('\n', start_);
        if (end == buffer_.npos) {
            buffer_.erase(0, start_);
            start_ = 0;
            return std::nullopt;
        }
        std::string_view line = std::string_view(buffer_).substr(start_, end - start_);
        start_ = end + 1;
        if (line.ends_with('\r')) line.remove_suffix(1);

        int code = 0;
        std::size_t digits = 0;
        while (digits < line.size() && base::is_digit(line[digits])) ++digits;
        std::string_view text = line.substr(digits);
        const char mark = text.empty() ? ' ' : text.front();
        const bool has_code = digits == 3 && (mark == ' ' || mark == '-');
        if (has_code) code = *base::parse_number<int>(line.substr(0, 3));
        if (mark == ' ' || (has_code && mark == '-')) text.remove_prefix(text.empty() ? 0 : 1);
        if (!text_.empty()) text_ += '\n';
        text_ += text;
        if (has_code && mark == '-') continue;
        return Reply{.code = code, .text = std::exchange(text_, {})};
    }
}

void ReplyReader::clear()
{
    buffer_.clear();
    text_.clear();
    start_ = 0;
}

}  // namespace ekiden::tools
