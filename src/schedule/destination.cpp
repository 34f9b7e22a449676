#include "schedule/destination.hpp"

#include "mail/verp.hpp"

#include <algorithm>

namespace ekiden::schedule {

queue::EnvelopePtr ActiveMessage::envelope_for(std::uint32_t recipient)
{
    if (!without_recipients_) {
        auto base = std::make_shared<mail::Envelope>();
        // Field by field would forget those that are added one day; a long list is copied once.
        *base = *envelope;
        base->recipients.clear();
        base->recipients.shrink_to_fit();
        without_recipients_ = std::move(base);
    }
    const mail::Recipient& to = envelope->recipients[recipient];
    auto own = std::make_shared<mail::Envelope>(*without_recipients_);
    // As it was given: that is the address which the owner of the list knows.
    own->sender = mail::verp_sender(own->verp_delimiters, own->sender, to.original.empty() ? to.address : to.original);
    own->recipients.push_back(to);
    return own;
}

void Destination::add(ActivePtr message, std::vector<std::uint32_t> recipients)
{
    waiting_.push_back(Waiting{std::move(message), std::move(recipients)});
}

std::optional<Destination::Turn> Destination::take(std::size_t recipient_limit, std::vector<Turn>& dropped)
{
    while (!waiting_.empty()) {
        Waiting first = std::move(waiting_.front());
        waiting_.pop_front();
        auto begin = first.recipients.begin() + static_cast<std::ptrdiff_t>(first.next);
        std::size_t left = first.recipients.size() - first.next;
        if (first.message->is_withdrawn) {
            dropped.push_back(Turn{std::move(first.message), std::vector(begin, first.recipients.end())});
            continue;
        }
        // With a sender address for each recipient there is one transaction for each.
        const std::size_t limit = first.message->envelope->verp_delimiters.empty() ? recipient_limit : 1;
        std::size_t count = limit == 0 ? left : std::min(left, limit);
        Turn turn{first.message, std::vector(begin, begin + static_cast<std::ptrdiff_t>(count))};
        if (count < left) {
            first.next += count;
            waiting_.push_back(std::move(first));
        }
        return turn;
    }
    return std::nullopt;
}

std::vector<Destination::Turn> Destination::take_all()
{
    std::vector<Turn> all;
    for (Waiting& waiting : waiting_) {
        auto begin = waiting.recipients.begin() + static_cast<std::ptrdiff_t>(waiting.next);
        all.push_back(Turn{std::move(waiting.message), std::vector(begin, waiting.recipients.end())});
    }
    waiting_.clear();
    return all;
}

}  // namespace ekiden::schedule
