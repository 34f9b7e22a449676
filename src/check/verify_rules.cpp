// reject_unverified_sender, reject_unverified_recipient: would mail to this address be taken (ADDRESS_VERIFICATION_README)?
// Who asks for an address that nobody has asked for waits a few seconds for the probe, and else is told to come back.
#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "verify/verifier.hpp"

namespace ekiden::check {

using State = verify::Verifier::Known::State;

Task<Step> reject_unverified(Evaluation& evaluation, const Restriction& restriction)
{
    const Policy::Data& data = evaluation.data;
    const Subject subject = static_cast<Subject>(restriction.row->detail);
    const bool is_sender = subject == Subject::sender;
    const VerifyRule& rule = is_sender ? data.options.verify_sender : data.options.verify_recipient;
    const Facts& facts = evaluation.facts;
    const std::string address = is_sender ? facts.sender : facts.recipient;
    if (address.empty() || (is_sender && !facts.has_sender)) co_return Step::dunno;
    // A server that asks back about the sender of our probe gets no question in return: the two would go on for ever.
    if (data.probe_sender.is_ours(facts.recipient, base::wall_now())) co_return Step::dunno;

    verify::Verifier::Known known{State::deferred, "Address verification is not available"};
    for (int turn = 0; data.verifier && turn < data.options.verify_poll_count; ++turn) {
        if (turn > 0) co_await net::sleep_for(data.options.verify_poll_delay);
        known = data.verifier->ask(address);
        if (known.state != State::pending) break;
    }
    if (known.state == State::deliverable) co_return Step::dunno;

    const bool is_final = known.state == State::undeliverable;
    const int code = is_final ? rule.reject_code : rule.defer_code;
    if (code < 400) co_return Step::dunno;   // the site wants such mail all the same
    const std::string_view what = code >= 500 ? "undeliverable address" : "unverified address";
    const std::string text =
        fmt::format("{}: {}", what, rule.reason.empty() ? base::printable(known.text) : rule.reason);
    Refusal refusal = rejected(evaluation, subject, code, is_sender ? "5.1.7" : "5.1.1", text);
    if (!is_final && !rule.defers) co_return defer_if_permit(evaluation, std::move(refusal));
    co_return refuse(evaluation, std::move(refusal));
}

}  // namespace ekiden::check
