// What a peer's answer, or its silence, means for a recipient: kind, status code and text in Postfix's words. Pure.
#pragma once

#include "deliver/agent.hpp"
#include "mail/status.hpp"
#include "rewrite/outgoing.hpp"
#include "smtp/reply.hpp"

#include <string>
#include <string_view>

namespace ekiden::deliver::smtp {

// Where a session stands: the command whose reply is awaited.
enum class Step : std::uint8_t {
    greeting,
    ehlo,
    helo,
    lhlo,
    starttls,
    auth,
    rset,
    forward_address,
    forward_session,
    mail,
    rcpt,
    data,
    content,
    end_of_data,
    quit
};

// How a conversation can break, other than by a reply.
enum class Trouble : std::uint8_t {
    lost,        // the connection was closed or reset
    timed_out,   // the peer took longer than the step's time limit
    garbage,     // what came was no SMTP reply
    local,       // we could not read the message
};

struct Fate {
    Outcome::Kind kind = Outcome::Kind::deferred;
    mail::Status status;
    std::string reply;               // the peer's words, for the DSN; empty when it said nothing
    bool is_peer_trouble = false;    // the far side could not be talked to: feedback for the destination
};

// `peer` is "mx.remote.test[127.0.0.25]".
Fate accepted(const ekiden::smtp::Reply& reply);
// A 354, where that is all one wanted to hear.
Fate ready_for_content(const ekiden::smtp::Reply& reply);
// "host PEER said: REPLY (in reply to RCPT TO command)"
Fate refused(std::string_view peer, Step step, const ekiden::smtp::Reply& reply);
// "host PEER refused to talk to me: REPLY"; `is_softened` makes 5xx a deferral (smtp_skip_5xx_greeting).
Fate refused_to_talk(std::string_view peer, const ekiden::smtp::Reply& reply, bool is_softened);
// `text` about a reply to AUTH or STARTTLS.
Fate refused_with(const ekiden::smtp::Reply& reply, std::string text);
// Makes a 5xx a deferral; other nonsense stays what it is.
void soften(Fate& fate, const ekiden::smtp::Reply& reply);
// "lost connection with PEER while sending MAIL FROM", "conversation with PEER timed out while …"
Fate broken(std::string_view peer, Step step, Trouble trouble);
// Our own content or tables stand in the way.
Fate fate_of(const rewrite::OutgoingProblem& problem, std::string_view peer);
Fate failed(std::string code, std::string text, bool is_peer_trouble = false);

}  // namespace ekiden::deliver::smtp
