// One mail transaction with a peer as states, without I/O: MAIL, RCPT…, DATA, content, the end, for SMTP and LMTP.
//
// Where the peer offers CHUNKING, the content goes as BDAT chunks (RFC 3030), and there is no DATA. The first chunk waits for
// the replies to the envelope: to nobody nothing is sent. With PIPELINING at most `chunks_in_flight` chunks are not answered;
// the last one waits until all others were taken, so that what lacks a piece never becomes a message. A chunk that is refused
// ends the content, as if DATA had been refused.
//
// The shell (client) writes take_output(), sends the content when wants_content() says so, feeds replies, and reads the
// fates when is_done(). With PIPELINING the envelope goes out in one piece (at most `replies_in_flight` commands whose
// replies are not read, so that neither side can fill both directions and wait for ever); without it, command by command.
//
// What cannot happen: content is sent to nobody (when every recipient is refused but the peer said 354, a lone dot ends
// it and its reply counts for nothing); a recipient has two fates; a recipient is delivered without a 2xx after the dot
// or the last chunk (LMTP: its own 2xx). Pure; thread: a value. The Message must outlive it.
#pragma once

#include "deliver/smtp/fate.hpp"
#include "smtp/extensions.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::deliver::smtp {

struct Message {
    struct Recipient {
        std::string address;      // internal form
        std::string dsn_original; // ORCPT value, decoded ("rfc822;user@domain")
        std::uint8_t notify = mail::notify_default;
    };
    std::string sender;           // internal form
    std::vector<Recipient> recipients;
    std::uint64_t size = 0;
    mail::BodyType body = mail::BodyType::unspecified;
    mail::DsnReturn dsn_return = mail::DsnReturn::unspecified;
    std::string dsn_envid;
    bool needs_smtputf8 = false;  // cannot go to a peer without it
    bool wants_smtputf8 = false;  // was received with it
    bool is_quoted = true;        // smtp_quote_rfc821_envelope
    std::string forward_address, forward_session;   // XFORWARD commands that go before MAIL, or empty
    bool says_no_author = false;  // AUTH=<> (RFC 4954 section 5)
    // Nothing is delivered: the reply to RCPT is the fate, or that to DATA (smtp_address_verify_target), after which only
    // hanging up keeps the peer from taking an empty message.
    enum class Question : std::uint8_t { none, rcpt, data } question = Question::none;
};

class Dialogue {
public:
    static constexpr std::size_t replies_in_flight = 64, chunks_in_flight = 8;

    // `probes`: the connection was idle, so RSET goes first; if that fails the dialogue is_stale() and nothing happened.
    Dialogue(const Message& message, const ekiden::smtp::Offer& offer, bool is_lmtp, std::string peer, bool probes);

    std::string take_output() { return std::exchange(output_, {}); }
    bool wants_content() const { return wants_content_; }
    void content_sent();                      // with the final dot, or the last chunk
    // The content goes in chunks, each behind its chunk_command(). Before the next one replies are read while
    // must_hear_before(); when wants_content() has become false, no more chunks are sent.
    bool uses_chunks() const { return uses_chunks_; }
    bool must_hear_before(bool is_last_chunk) const;
    void chunk_sent() { expect(Step::content); }   // not the last
    bool is_misunderstood() const
    {
        return is_misunderstood_;
    }                                         // the peer does not know BDAT, though it offered CHUNKING
    Step step() const;                        // what is awaited or sent
    void on_reply(const ekiden::smtp::Reply& reply);
    void on_trouble(Trouble trouble);
    void abandon(const Fate& fate);           // the content cannot be sent as it should; the connection is over

    bool is_done() const { return is_done_; }
    bool is_stale() const { return is_stale_; }
    bool is_broken() const { return is_broken_; }     // no further word can be said on this connection
    bool needs_reset() const { return is_open_; }     // a transaction was begun and not ended
    // By index into message.recipients; all set when done, unless stale.
    const std::vector<std::optional<Fate>>& fates() const { return fates_; }

private:
    enum class Next : std::uint8_t { probe, forward_address, forward_session, mail, rcpt, data, nothing };
    struct Expected {
        Step step;
        std::size_t recipient;
    };
    static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

    void advance();
    void expect(Step step, std::size_t recipient = nobody) { expected_.push_back({step, recipient}); }
    void decide(std::size_t recipient, const Fate& fate);
    void decide_rest(const Fate& fate);
    bool has_undecided() const { return undecided_ > 0; }
    void on_data_reply(const ekiden::smtp::Reply& reply);
    void on_chunk_reply(const ekiden::smtp::Reply& reply);
    bool finds_misunderstanding(const ekiden::smtp::Reply& reply);
    void on_end_reply(std::size_t recipient, const ekiden::smtp::Reply& reply);

    const Message& message_;
    const ekiden::smtp::Offer offer_;
    const bool is_lmtp_;
    const bool uses_chunks_;
    const std::string peer_;
    Next next_;
    std::size_t cursor_ = 0;                 // next recipient to name
    std::deque<Expected> expected_;
    std::string output_;
    std::vector<std::optional<Fate>> fates_;
    std::size_t undecided_;
    bool has_sender_ = false;                // MAIL was accepted
    bool sender_refused_ = false;
    bool is_open_ = false;
    bool wants_content_ = false;
    bool chunk_was_taken_ = false;
    bool is_misunderstood_ = false;
    bool is_done_ = false;
    bool is_stale_ = false;
    bool is_broken_ = false;
};

// The command lines, for `offer`; with CRLF.
std::string mail_command(const Message& message, const ekiden::smtp::Offer& offer);
std::string rcpt_command(const Message& message, std::size_t recipient, const ekiden::smtp::Offer& offer);
std::string chunk_command(std::size_t size, bool is_last);   // at most 32 bytes

}  // namespace ekiden::deliver::smtp
