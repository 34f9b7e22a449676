#include "deliver/smtp/handshake.hpp"

#include <algorithm>

namespace ekiden::deliver::smtp {

using ekiden::smtp::Reply;

void Handshake::on_reply(const Reply& reply)
{
    if (is_done()) return;
    const bool is_leaving = reply.code == 421;
    switch (step_) {
    case Step::greeting:
        if (reply.is_positive()) return say_hello(reply);
        return fail(refused_to_talk(peer_, reply, options_.softens_5xx_greeting), !is_leaving);
    case Step::ehlo:
        // Whatever else it says, it does not know EHLO; unless it is about to hang up.
        if (!reply.is_positive() && !is_leaving) {
            step_ = Step::helo;
            output_ = "HELO " + options_.own_name + "\r\n";
            return;
        }
        [[fallthrough]];
    case Step::lhlo:
        if (reply.is_positive()) {
            offer_ = parse_offer(reply);
            offer_.bits &= ~options_.ignored;
            is_ready_ = true;
            return;
        }
        [[fallthrough]];
    default:
        if (reply.is_positive()) {
            is_ready_ = true;   // HELO: no extensions
            return;
        }
        return fail(refused_to_talk(peer_, reply, false), !is_leaving);
    }
}

void Handshake::on_trouble(Trouble trouble)
{
    if (!is_done()) fail(broken(peer_, step_, trouble), false);
}

void Handshake::begin_anew()
{
    step_ = options_.is_lmtp ? Step::lhlo : Step::ehlo;
    output_ = (options_.is_lmtp ? "LHLO " : "EHLO ") + options_.own_name + "\r\n";
}

void Handshake::say_hello(const Reply& greeting)
{
    is_behind_firewall_ = hides_greeting(greeting);
    if (options_.is_lmtp) return begin_anew();
    const bool claims_esmtp =
        std::ranges::any_of(greeting.lines, [](const std::string& line) { return line.find("ESMTP") != line.npos; });
    const bool uses_ehlo = !options_.never_ehlo && (options_.always_ehlo || claims_esmtp) &&
                           !(is_behind_firewall_ && options_.workarounds.says_helo);
    step_ = uses_ehlo ? Step::ehlo : Step::helo;
    output_ = (uses_ehlo ? "EHLO " : "HELO ") + options_.own_name + "\r\n";
}

void Handshake::fail(Fate fate, bool may_quit)
{
    failure_ = std::move(fate);
    may_quit_ = may_quit;
}

}  // namespace ekiden::deliver::smtp
