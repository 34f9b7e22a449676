#include "deliver/smtp/fate.hpp"

#include <fmt/format.h>

namespace ekiden::deliver::smtp {

namespace {

struct StepWords {
    Step step;
    std::string_view activity;   // "… while ACTIVITY"
    std::string_view command;    // "(in reply to COMMAND command)"
};
constexpr StepWords step_words[] = {
    {Step::greeting, "receiving the initial server greeting", "CONNECT"},
    {Step::ehlo, "performing the EHLO handshake", "EHLO"},
    {Step::helo, "performing the HELO handshake", "HELO"},
    {Step::lhlo, "performing the LHLO handshake", "LHLO"},
    {Step::starttls, "receiving the STARTTLS response", "STARTTLS"},
    {Step::auth, "performing the EHLO handshake", "AUTH"},
    {Step::rset, "sending RSET", "RSET"},
    {Step::forward_address, "sending XFORWARD name/address", "XFORWARD"},
    {Step::forward_session, "sending XFORWARD helo/protocol", "XFORWARD"},
    {Step::mail, "sending MAIL FROM", "MAIL FROM"},
    {Step::rcpt, "sending RCPT TO", "RCPT TO"},
    {Step::data, "sending DATA command", "DATA"},
    {Step::content, "sending message body", "DATA"},
    {Step::end_of_data, "sending end of data -- message may be sent more than once", "end of DATA"},
    {Step::quit, "sending QUIT", "QUIT"},
};

const StepWords& words_of(Step step)
{
    for (const StepWords& words : step_words) {
        if (words.step == step) return words;
    }
    return step_words[0];
}

// The peer's enhanced code where it agrees with its reply code; else the class alone.
std::string code_of(const ekiden::smtp::Reply& reply)
{
    const char digit = static_cast<char>('0' + reply.code / 100);
    if (!reply.enhanced.empty() && reply.enhanced.front() == digit) return reply.enhanced;
    return std::string(1, digit) + ".0.0";
}

Fate from_failure(const ekiden::smtp::Reply& reply, std::string text)
{
    Fate fate;
    // A reply that is neither yes, where yes was possible, nor no: who answers so will not do better tomorrow.
    const bool is_refusal = reply.is_temporary() || (reply.is_permanent() && reply.code < 600);
    fate.status.code = is_refusal ? code_of(reply) : "5.5.0";
    fate.kind = fate.status.is_permanent() ? Outcome::Kind::bounced : Outcome::Kind::deferred;
    fate.status.text = std::move(text);
    fate.reply = one_line(reply);
    return fate;
}

}  // namespace

Fate accepted(const ekiden::smtp::Reply& reply)
{
    Fate fate;
    fate.kind = Outcome::Kind::delivered;
    fate.status.code = code_of(reply);
    fate.status.text = fate.reply = one_line(reply);
    return fate;
}

Fate ready_for_content(const ekiden::smtp::Reply& reply)
{
    Fate fate = accepted(reply);
    fate.status.code = "2.0.0";
    return fate;
}

Fate refused(std::string_view peer, Step step, const ekiden::smtp::Reply& reply)
{
    const bool is_misplaced = step == Step::data && reply.is_positive();
    return from_failure(reply, fmt::format("{}host {} said: {} (in reply to {} command)",
                                           is_misplaced ? "Protocol error: " : "", peer, one_line(reply),
                                           words_of(step).command));
}

Fate refused_to_talk(std::string_view peer, const ekiden::smtp::Reply& reply, bool is_softened)
{
    Fate fate = from_failure(reply, fmt::format("host {} refused to talk to me: {}", peer, one_line(reply)));
    fate.is_peer_trouble = true;
    if (is_softened) soften(fate, reply);
    return fate;
}

Fate refused_with(const ekiden::smtp::Reply& reply, std::string text) { return from_failure(reply, std::move(text)); }

void soften(Fate& fate, const ekiden::smtp::Reply& reply)
{
    if (fate.kind != Outcome::Kind::bounced || reply.code >= 600 || !reply.is_permanent()) return;
    fate.kind = Outcome::Kind::deferred;
    fate.status.code.front() = '4';
}

Fate broken(std::string_view peer, Step step, Trouble trouble)
{
    const std::string_view activity = words_of(step).activity;
    switch (trouble) {
    case Trouble::lost: return failed("4.4.2", fmt::format("lost connection with {} while {}", peer, activity), true);
    case Trouble::timed_out:
        return failed("4.4.2", fmt::format("conversation with {} timed out while {}", peer, activity), true);
    case Trouble::garbage:
        return failed("4.5.0", fmt::format("protocol error: bad reply from {} while {}", peer, activity), true);
    case Trouble::local: return failed("4.3.0", "unreadable mail queue entry");
    }
    return failed("4.3.0", "internal error");
}

Fate fate_of(const rewrite::OutgoingProblem& problem, std::string_view peer)
{
    Fate fate =
        failed(problem.status.code, problem.status.text + std::string(problem.names_peer ? peer : std::string_view()));
    if (problem.is_permanent) fate.kind = Outcome::Kind::bounced;
    return fate;
}

Fate failed(std::string code, std::string text, bool is_peer_trouble)
{
    Fate fate;
    fate.kind = code.starts_with('5') ? Outcome::Kind::bounced : Outcome::Kind::deferred;
    fate.status.code = std::move(code);
    fate.status.text = std::move(text);
    fate.is_peer_trouble = is_peer_trouble;
    return fate;
}

}  // namespace ekiden::deliver::smtp
