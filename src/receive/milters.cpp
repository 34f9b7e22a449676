// What milters are told beside the rest of the conversation. A session whose client has none pays a null pointer test.
#include "receive/session.hpp"

namespace ekiden::receive {

using check::Verdict;

// A new client, or one that became somebody else: other milters. False: it is turned away, and has been told.
Task<bool> Session::meet_milters()
{
    if (milters_) co_await milters_->end(false);
    milters_.reset();
    auto found = co_await check::Milters::find(*options_.milters, facts_, service_->intake->resolver_pointer(),
                                               *service_->resolver, log_);
    if (!found) co_return true;
    milters_ = std::move(found);
    const Verdict verdict = co_await milters_->connect(connection_count_);
    // "Later" is said when there is something to be tried later.
    if (verdict.action != Verdict::Action::reject || (!verdict.must_disconnect && verdict.reply.code < 500))
        co_return true;
    counters_.refused_clients.fetch_add(1, std::memory_order_relaxed);
    note_trouble(trouble_policy);
    if (verdict.must_disconnect)
        say(421, "", options_.hostname + " Service unavailable - try again later");
    else
        say(554, "", options_.hostname + " ESMTP not accepting connections");
    co_return false;
}

// `former`: what the client called itself before. False: the session ends with a reply that has been said.
Task<bool> Session::tell_milters_of_helo(const std::string& former)
{
    Verdict verdict = co_await milters_->helo(where_);
    if (!former.empty()) milters_->note_greeting();
    // Another refusal is for the commands that follow: the client may still say goodbye, or begin TLS.
    if (!verdict.must_disconnect) co_return true;
    co_return refuse(std::move(verdict));
}

bool Session::are_milters_closed() const
{
    const auto refusal = milters_ ? milters_->standing_refusal() : std::nullopt;
    return refusal && refusal->code >= 500;
}

// Commands of which milters are not told are refused all the same by one that has refused the session.
bool Session::refuse_for_milters()
{
    if (!milters_) return false;
    auto refusal = milters_->standing_refusal();
    if (!refusal) return false;
    note_trouble(trouble_policy);
    say(std::move(*refusal));
    return true;
}

} // namespace ekiden::receive
