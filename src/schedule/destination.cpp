#include "schedule/destination.hpp"

#include <algorithm>

namespace ekiden::schedule {

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
        std::size_t count = recipient_limit == 0 ? left : std::min(left, recipient_limit);
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
