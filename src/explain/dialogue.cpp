// The client's side of the rehearsal: what it says, and what the session answers, command by command.
#include "explain/rehearsal.hpp"

#include "base/text.hpp"
#include "net/line_reader.hpp"
#include "receive/session.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

namespace ekiden::explain {

namespace {

constexpr std::size_t longest_reply = 4096;
constexpr std::size_t most_lines = 500;         // of one reply
constexpr std::chrono::minutes patience{10};    // slow tables and policy services have limits of their own
constexpr std::uint16_t client_port = 40000;    // of the connection that is not there

// Nobody's domain (RFC 2606), so that only relay control has something against it.
constexpr std::string_view foreign_recipient = "somebody@relay.invalid";

struct Reply {
    int code = 0;
    std::string text;    // the last line
};

Task<Reply> read_reply(net::LineReader& reader)
{
    Reply reply;
    for (std::size_t i = 0; i < most_lines; ++i) {
        const auto line = co_await reader.read_line(longest_reply);
        if (!line) {
            reply.text = "(the server closed the connection)";
            reply.code = 421;
            co_return reply;
        }
        reply.text = line->text;
        reply.code = base::parse_number<int>(line->text.substr(0, 3)).value_or(0);
        if (line->text.size() < 4 || line->text[3] != '-') break;
    }
    co_return reply;
}

using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, net::Executor>;

// The session keeps itself until it has ended; `over` expires then.
Task<void> run_session(std::shared_ptr<receive::Session> session, std::shared_ptr<Timer> over)
{
    co_await session->run();
    over->expires_at(Timer::time_point::min());
}

std::string literal(const net::Address& address)
{
    return address.is_v4() ? fmt::format("[{}]", net::format_address(address))
                           : fmt::format("[IPv6:{}]", net::format_address(address));
}

// RFC 5321 4.5.2; LF becomes CRLF.
std::string dotted(std::string_view content)
{
    std::string out;
    while (!content.empty()) {
        const std::size_t end = std::min(content.find('\n'), content.size());
        const std::string_view line = content.substr(0, end);
        if (line.starts_with('.')) out += '.';
        out.append(line).append("\r\n");
        content.remove_prefix(std::min(end + 1, content.size()));
    }
    return out + ".\r\n";
}

// What says nothing about the message: lists that every client is looked up in, and the header of a message that was made
// for the occasion.
std::vector<Event> without_noise(std::vector<Event> events, bool shows_header)
{
    bool is_in_header = false;
    std::erase_if(events, [&](const Event& event) {
        if (event.what == "address") is_in_header = event.name.starts_with("header_");
        return event.what == "match" || (is_in_header && !shows_header);
    });
    return events;
}

bool goes_on(const Step& step) { return step.code >= 200 && step.code < 400; }

}  // namespace

Task<std::vector<Step>> Rehearsal::converse(std::string recipient, bool sends_content)
{
    net::Endpoint peer{question_.client, client_port}, own;
    own.address = question_.client.is_v4() ? net::Address(boost::asio::ip::address_v4::loopback())
                                           : net::Address(boost::asio::ip::address_v6::loopback());
    own.port = 25;
    const auto executor = co_await net::this_executor();
    net::MemoryPipe pipe = net::make_memory_pipe(executor);
    auto session = std::make_shared<receive::Session>(std::move(pipe.a), server_, clients_, counters_, peer, own);
    session->presume(findings_.is_encrypted, question_.login);
    auto over = std::make_shared<Timer>(executor, Timer::time_point::max());
    asio::co_spawn(context_, run_session(session, over), asio::detached);

    net::StreamPtr client = std::move(pipe.b);
    client->set_time_limit(patience);
    net::LineReader reader(*client, longest_reply);
    std::vector<Step> steps;
    findings_.helo = question_.helo.empty() ? literal(question_.client) : question_.helo;
    // UTF-8 addresses are declared, as a client that knows SMTPUTF8 does.
    const bool is_utf8 = !base::is_ascii(question_.sender) || !base::is_ascii(recipient);
    const struct {
        std::string shown, said;
    } commands[] = {
        {"connect", ""},
        {"EHLO " + findings_.helo, "EHLO " + findings_.helo + "\r\n"},
        {"MAIL FROM:<" + question_.sender + ">", fmt::format("MAIL FROM:<{}>{}\r\n", question_.sender, is_utf8 ? " SMTPUTF8" : "")},
        {"RCPT TO:<" + recipient + ">", fmt::format("RCPT TO:<{}>\r\n", recipient)},
        {"DATA", "DATA\r\n"},
        {"end of message", dotted(*content_->in_memory())},
    };
    for (const auto& command : commands) {
        if (!sends_content && command.shown == "DATA") break;
        if (!command.said.empty()) {
            const auto sent = co_await client->write(command.said);
            if (!sent) break;
        }
        Reply reply = co_await read_reply(reader);
        steps.push_back({base::printable(command.shown), reply.code, base::printable(reply.text),
                         without_noise(recorder_.take(), !question_.message_file.empty())});
        if (!goes_on(steps.back())) break;
    }
    (void)co_await client->write("QUIT\r\n");
    (void)co_await read_reply(reader);
    client->close();
    boost::system::error_code woken;
    co_await over->async_wait(asio::redirect_error(use_task, woken));
    recorder_.take();
    co_return steps;
}

// May this client send to strangers? Asked with a stranger's address, whatever the question's own recipient is.
Task<void> Rehearsal::find_relaying()
{
    const auto steps = co_await converse(std::string(foreign_recipient), false);
    Findings::Relaying& relaying = findings_.relaying;
    if (steps.empty() || !steps.back().command.starts_with("RCPT")) co_return;
    const Step& last = steps.back();
    std::vector<const Event*> path;
    walk(last.events, [&](const Event& event, const std::vector<const Event*>& parents) {
        if (event.what != "restriction" || parents.empty()) return;
        const std::string& list = parents.front()->name;
        const bool is_relay_list = list == "smtpd_relay_restrictions" || list == "smtpd_recipient_restrictions";
        const bool is_control =
            event.name.find("unauth_destination") != std::string::npos || event.name == "check_relay_domains";
        if (relaying.is_known || !is_relay_list) return;
        if (event.answer == "permit" && list == "smtpd_relay_restrictions")
            relaying = {true, true, fmt::format("{}, {}", event.name, places_.find(list, event.name).text())};
        else if (is_control && event.answer == "reject")
            relaying = {true, false, fmt::format("{}, {}", event.name, places_.find(list, event.name).text())};
    }, path);
    if (!relaying.is_known && last.code / 100 == 2) relaying = {true, true, "nothing refused it"};
}

}  // namespace ekiden::explain
