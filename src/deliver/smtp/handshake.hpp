// The beginning of a session as states, without I/O: greeting, then EHLO (HELO where the peer does not know it) or LHLO.
//
//   greeting --2xx--> ehlo --2xx--> ready            a refusal of EHLO (not of LHLO, not 421): helo --2xx--> ready
//       any refusal, and any trouble: failed. A session that is ready or failed stays so.
//
// TLS and authentication belong between "ready" and the first MAIL; they start from offer(). After STARTTLS a second
// Handshake begins with the hello. Pure; thread: a value.
#pragma once

#include "deliver/smtp/fate.hpp"
#include "deliver/smtp/firewall.hpp"
#include "smtp/extensions.hpp"

#include <optional>
#include <string>

namespace ekiden::deliver::smtp {

struct HandshakeOptions {
    bool is_lmtp = false;
    std::string own_name;                 // smtp_helo_name, lmtp_lhlo_name
    bool always_ehlo = true;              // smtp_always_send_ehlo; else only to a peer whose greeting says ESMTP
    bool never_ehlo = false;              // smtp_never_send_ehlo
    bool softens_5xx_greeting = true;     // smtp_skip_5xx_greeting
    Workarounds workarounds;              // for a peer behind a firewall that breaks SMTP
    ekiden::smtp::Extensions ignored = 0; // smtp_discard_ehlo_keywords
};

class Handshake {
public:
    Handshake(HandshakeOptions options, std::string peer) : options_(std::move(options)), peer_(std::move(peer)) {}

    // The hello alone: TLS has begun, and what was said before it does not count (RFC 3207 section 4.2).
    void begin_anew();

    Step step() const { return step_; }                  // whose reply is awaited, while !is_done()
    std::string take_output() { return std::exchange(output_, {}); }
    void on_reply(const ekiden::smtp::Reply& reply);
    void on_trouble(Trouble trouble);

    bool is_done() const { return is_ready_ || failure_; }
    const std::optional<Fate>& failure() const { return failure_; }
    bool may_quit() const { return may_quit_; }          // QUIT is in order (the peer is there and has not said 421)
    const ekiden::smtp::Offer& offer() const { return offer_; }
    bool is_behind_firewall() const { return is_behind_firewall_; }

private:
    void say_hello(const ekiden::smtp::Reply& greeting);
    void fail(Fate fate, bool may_quit);

    HandshakeOptions options_;
    std::string peer_;
    Step step_ = Step::greeting;
    std::string output_;
    ekiden::smtp::Offer offer_;
    std::optional<Fate> failure_;
    bool is_ready_ = false;
    bool may_quit_ = true;
    bool is_behind_firewall_ = false;
};

}  // namespace ekiden::deliver::smtp
