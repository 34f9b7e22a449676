// Mail that goes on to other addresses: gathered while a recipient is expanded, queued as a new message at the end.
#include "base/text.hpp"
#include "deliver/local/delivery.hpp"
#include "mail/address.hpp"

namespace ekiden::deliver {

void LocalDelivery::forward_to(std::string address, const Person& from)
{
    if (!is_new("forward:" + from.sender + '\0' + base::lower(address))) return;
    Forward& forward = forwards_[from.sender + '\0' + from.delivered_to];
    if (forward.recipients.empty()) forward.from = from;
    forward.recipients.push_back(std::move(address));
}

Task<void> LocalDelivery::send_forwards()
{
    const mail::Recipient& to = job_.envelope->recipients[recipient_];
    if (job_.envelope->only_asks()) {
        for (const auto& [key, forward] : forwards_) {
            for (const std::string& address : forward.recipients) {
                Person would;
                would.address = address;
                add(would, Outcome::Kind::delivered, "2.0.0", "forwards to " + mail::quote_address(address));
            }
        }
        forwards_.clear();
        co_return;
    }
    for (const auto& [key, forward] : forwards_) {
        rewrite::DraftOptions options;
        options.source = rewrite::Source::forward;
        options.origin = job_.envelope->origin;
        options.origin.rewrite_context = "local";
        options.log_ident = format(job_.envelope->id);
        rewrite::Draft draft = services_.intake->open(std::move(options));
        draft.set_sender(forward.from.sender);
        mail::Envelope& envelope = draft.envelope();
        envelope.body = job_.envelope->body;
        envelope.is_smtputf8 = job_.envelope->is_smtputf8;
        // A list is the end of the sender's message and its owner the sender of a new one; an alias only passes it on.
        if (!forward.from.has_owner) {
            envelope.dsn_envid = job_.envelope->dsn_envid;
            envelope.dsn_return = job_.envelope->dsn_return;
        }
        for (const std::string& address : forward.recipients) {
            mail::Recipient recipient;
            recipient.address = address;
            if (!forward.from.has_owner) {
                recipient.original = original_;
                recipient.dsn_original = to.dsn_original;
                // The expansion is reported here (RFC 3461, 5.2.7.3); failure and delay still matter on the way.
                recipient.notify =
                    to.notify == mail::notify_success ? mail::notify_never : to.notify & ~mail::notify_success;
            }
            draft.add_recipient(std::move(recipient));
        }
        if (options_.marks_forwards)
            draft.write("Delivered-To: " + mail::quote_address(forward.from.delivered_to) + "\n");
        Outcome outcome;
        outcome.connect_started_at = outcome.connected_at = base::wall_now();
        auto reader = job_.content->open();
        std::optional<std::string> trouble;
        while (!trouble) {
            auto piece = co_await reader->next();
            if (!piece) {
                trouble = "cannot read the message: " + piece.error().text();
                break;
            }
            if (piece->empty()) break;
            draft.write(*piece);
            if (!draft.needs_flush()) continue;
            if (auto flushed = co_await draft.flush(); !flushed) trouble = flushed.error().text();
        }
        if (trouble) {
            outcome.status = {"4.3.0", std::move(*trouble)};
        } else if (auto queued = co_await draft.submit(); queued) {
            outcome.kind = Outcome::Kind::delivered;
            outcome.status = {"2.0.0", "forwarded as " + format((*queued)->id)};
            // The sender's wish to hear of success went on with the message, unless it ended at a list.
            outcome.action = forward.from.has_owner          ? "delivered"
                             : forward.recipients.size() > 1 ? "expanded"
                                                             : "relayed";
            outcome.is_reported_by_peer = !forward.from.has_owner;
        } else {
            outcome.status = queued.error().status;
            outcome.kind = outcome.status.is_permanent() ? Outcome::Kind::bounced : Outcome::Kind::deferred;
        }
        outcome.ended_at = base::wall_now();
        add(make_person(to.address), std::move(outcome));
    }
    forwards_.clear();
}

}  // namespace ekiden::deliver
