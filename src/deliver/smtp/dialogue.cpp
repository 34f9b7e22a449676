#include "deliver/smtp/dialogue.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "smtp/xtext.hpp"

#include <fmt/format.h>

namespace ekiden::deliver::smtp {

using ekiden::smtp::Offer;
using ekiden::smtp::Reply;

namespace {

// An address can hold anything that came in quotes; a line break in a command would be a second command.
std::string on_the_wire(const Message& message, const std::string& address)
{
    std::string text = message.is_quoted ? mail::quote_address(address) : address;
    for (char& c : text) {
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    }
    return text;
}

std::string notify_words(std::uint8_t notify)
{
    if (notify & mail::notify_never) return "NEVER";
    std::string words;
    const auto add = [&](mail::DsnNotify bit, std::string_view word) {
        if (!(notify & bit)) return;
        if (!words.empty()) words += ',';
        words += word;
    };
    add(mail::notify_success, "SUCCESS");
    add(mail::notify_failure, "FAILURE");
    add(mail::notify_delay, "DELAY");
    return words;
}

// "rfc822;user@domain" → the type as it is, the address in xtext.
std::string orcpt_value(const Message::Recipient& recipient)
{
    const std::string_view original = recipient.dsn_original;
    const std::size_t semicolon = original.find(';');
    if (semicolon == original.npos) return "rfc822;" + ekiden::smtp::encode_xtext(recipient.address);
    return std::string(original.substr(0, semicolon + 1)) + ekiden::smtp::encode_xtext(original.substr(semicolon + 1));
}

}  // namespace

std::string mail_command(const Message& message, const Offer& offer)
{
    std::string line = "MAIL FROM:<" + on_the_wire(message, message.sender) + ">";
    if (offer.has(ekiden::smtp::ext_size)) line += fmt::format(" SIZE={}", message.size);
    if (offer.has(ekiden::smtp::ext_8bitmime)) {
        if (message.body == mail::BodyType::eight_bit) line += " BODY=8BITMIME";
        if (message.body == mail::BodyType::seven_bit) line += " BODY=7BIT";
    }
    if (offer.has(ekiden::smtp::ext_smtputf8) && (message.wants_smtputf8 || message.needs_smtputf8))
        line += " SMTPUTF8";
    if (offer.has(ekiden::smtp::ext_dsn)) {
        if (!message.dsn_envid.empty()) line += " ENVID=" + ekiden::smtp::encode_xtext(message.dsn_envid);
        if (message.dsn_return == mail::DsnReturn::full) line += " RET=FULL";
        if (message.dsn_return == mail::DsnReturn::headers) line += " RET=HDRS";
    }
    if (message.says_no_author) line += " AUTH=<>";
    return line + "\r\n";
}

std::string rcpt_command(const Message& message, std::size_t recipient, const Offer& offer)
{
    const auto& to = message.recipients[recipient];
    std::string line = "RCPT TO:<" + on_the_wire(message, to.address) + ">";
    if (offer.has(ekiden::smtp::ext_dsn)) {
        line += " ORCPT=" + orcpt_value(to);
        if (to.notify != mail::notify_default) line += " NOTIFY=" + notify_words(to.notify);
    }
    return line + "\r\n";
}

std::string chunk_command(std::size_t size, bool is_last)
{
    return fmt::format("BDAT {}{}\r\n", size, is_last ? " LAST" : "");
}

// A question about DATA is asked with DATA: an empty last chunk would be a message.
Dialogue::Dialogue(const Message& message, const Offer& offer, bool is_lmtp, std::string peer, bool probes)
    : message_(message), offer_(offer), is_lmtp_(is_lmtp),
      uses_chunks_(offer.has(ekiden::smtp::ext_chunking) && message.question == Message::Question::none),
      peer_(std::move(peer)), next_(probes ? Next::probe : Next::forward_address), fates_(message.recipients.size()),
      undecided_(message.recipients.size())
{
    if (offer_.size_limit > 0 && message.size > offer_.size_limit) {
        decide_rest(failed("5.3.4", fmt::format("message size {} exceeds size limit {} of server {}", message.size,
                                                offer_.size_limit, peer_)));
        next_ = Next::nothing;
    } else if (message.needs_smtputf8 && !offer_.has(ekiden::smtp::ext_smtputf8)) {
        decide_rest(failed("5.6.7", fmt::format("SMTPUTF8 is required, but was not offered by host {}", peer_)));
        next_ = Next::nothing;
    }
    advance();
}

void Dialogue::advance()
{
    const std::size_t limit = offer_.has(ekiden::smtp::ext_pipelining) ? replies_in_flight : 1;
    while (!is_done_ && next_ != Next::nothing && expected_.size() < limit) {
        switch (next_) {
        case Next::probe:
            output_ += "RSET\r\n";
            expect(Step::rset);
            next_ = Next::forward_address;
            break;
        case Next::forward_address:
        case Next::forward_session: {
            const bool is_address = next_ == Next::forward_address;
            const std::string& command = is_address ? message_.forward_address : message_.forward_session;
            if (!command.empty()) {
                output_ += command;
                expect(is_address ? Step::forward_address : Step::forward_session);
            }
            next_ = is_address ? Next::forward_session : Next::mail;
            break;
        }
        case Next::mail:
            output_ += mail_command(message_, offer_);
            expect(Step::mail);
            next_ = Next::rcpt;
            break;
        case Next::rcpt:
            if (sender_refused_) {
                next_ = Next::nothing;
                break;
            }
            output_ += rcpt_command(message_, cursor_, offer_);
            expect(Step::rcpt, cursor_);
            if (++cursor_ == message_.recipients.size())
                next_ = message_.question == Message::Question::rcpt ? Next::nothing : Next::data;
            break;
        case Next::data:
            if (uses_chunks_) {
                if (!expected_.empty()) return;   // who receives it is not known yet
                wants_content_ = has_undecided();
            } else if (has_undecided()) {
                output_ += "DATA\r\n";
                expect(Step::data);
            }
            next_ = Next::nothing;
            break;
        case Next::nothing: break;
        }
    }
    if (next_ == Next::nothing && expected_.empty() && !wants_content_) is_done_ = true;
}

Step Dialogue::step() const
{
    if (wants_content_) return Step::content;
    return expected_.empty() ? Step::mail : expected_.front().step;
}

void Dialogue::on_reply(const Reply& reply)
{
    if (is_done_ || expected_.empty()) return;
    const Expected expected = expected_.front();
    expected_.pop_front();
    // After 421 the peer hangs up; what is still awaited ends as a lost connection.
    if (reply.code == 421) is_broken_ = true;
    switch (expected.step) {
    case Step::rset:
        if (!reply.is_positive()) {
            is_stale_ = is_broken_ = is_done_ = true;
            return;
        }
        break;
    case Step::forward_address:
    case Step::forward_session: break;   // the mail does not depend on it
    case Step::mail:
        if (reply.is_positive()) {
            has_sender_ = is_open_ = true;
        } else {
            sender_refused_ = true;
            is_open_ = true;   // RCPT and DATA may be under way: RSET puts both sides on the same line again
            decide_rest(refused(peer_, Step::mail, reply));
        }
        break;
    case Step::rcpt:
        if (has_sender_ && !reply.is_positive()) decide(expected.recipient, refused(peer_, Step::rcpt, reply));
        else if (has_sender_ && message_.question == Message::Question::rcpt)
            decide(expected.recipient, accepted(reply));
        break;
    case Step::data: on_data_reply(reply); break;
    case Step::content: on_chunk_reply(reply); break;
    default: on_end_reply(expected.recipient, reply); break;
    }
    advance();
}

void Dialogue::on_data_reply(const Reply& reply)
{
    if (!reply.is_intermediate()) {
        decide_rest(refused(peer_, Step::data, reply));
        return;
    }
    if (message_.question != Message::Question::none) {
        decide_rest(ready_for_content(reply));
        is_broken_ = true;
        return;
    }
    if (has_undecided()) {
        wants_content_ = true;
        return;
    }
    // Nobody is left to receive it, yet the peer waits for content.
    if (is_lmtp_) {
        is_broken_ = true;   // it would send as many replies as it counts recipients, which is not what we count
        return;
    }
    output_ += ".\r\n";
    expect(Step::end_of_data);
}

bool Dialogue::must_hear_before(bool is_last_chunk) const
{
    if (is_last_chunk) return !expected_.empty();
    return expected_.size() >= (offer_.has(ekiden::smtp::ext_pipelining) ? chunks_in_flight : 1);
}

void Dialogue::on_chunk_reply(const Reply& reply)
{
    if (finds_misunderstanding(reply)) return;
    if (reply.is_positive()) {
        chunk_was_taken_ = true;
        return;
    }
    wants_content_ = false;
    decide_rest(refused(peer_, Step::content, reply));
}

// To a peer that does not know BDAT, the chunk is commands. Nothing more is said, and the mail waits for the next try.
bool Dialogue::finds_misunderstanding(const Reply& reply)
{
    if (!uses_chunks_ || chunk_was_taken_ || (reply.code != 500 && reply.code != 502)) return false;
    Fate fate = refused(peer_, Step::content, reply);
    soften(fate, reply);
    decide_rest(fate);
    wants_content_ = false;
    is_misunderstood_ = is_broken_ = is_done_ = true;
    return true;
}

void Dialogue::content_sent()
{
    wants_content_ = false;
    if (!is_lmtp_) {
        expect(Step::end_of_data);
        return;
    }
    for (std::size_t i = 0; i < fates_.size(); ++i) {
        if (!fates_[i]) expect(Step::end_of_data, i);
    }
}

void Dialogue::on_end_reply(std::size_t recipient, const Reply& reply)
{
    if (finds_misunderstanding(reply)) return;
    chunk_was_taken_ = true;   // one LMTP recipient's answer shows that the chunk was understood
    is_open_ = false;
    const Fate fate = reply.is_positive() ? accepted(reply) : refused(peer_, Step::end_of_data, reply);
    if (recipient == nobody) decide_rest(fate);
    else decide(recipient, fate);
}

void Dialogue::on_trouble(Trouble trouble)
{
    if (is_done_) return;
    const Step where = step();
    is_done_ = is_broken_ = true;
    if (where == Step::rset) {
        is_stale_ = true;
        return;
    }
    decide_rest(broken(peer_, where, trouble));
}

void Dialogue::abandon(const Fate& fate)
{
    is_done_ = is_broken_ = true;
    decide_rest(fate);
}

void Dialogue::decide(std::size_t recipient, const Fate& fate)
{
    if (fates_[recipient]) return;
    fates_[recipient] = fate;
    --undecided_;
}

void Dialogue::decide_rest(const Fate& fate)
{
    for (std::size_t i = 0; i < fates_.size(); ++i) decide(i, fate);
}

}  // namespace ekiden::deliver::smtp
