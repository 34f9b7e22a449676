#include "queue/index.hpp"

#include <algorithm>
#include <bit>

namespace ekiden::queue {

Places::Places(std::vector<Place> places)
{
    if (places.size() == 1) one_ = places.front();
    else if (places.size() > 1) more_ = std::make_unique<std::vector<Place>>(std::move(places));
}

void Places::add(Place place)
{
    if (more_) more_->push_back(place);
    else if (!one_) one_ = place;
    else more_ = std::make_unique<std::vector<Place>>(std::initializer_list<Place>{one_, place});
}

void Places::clear()
{
    one_ = {};
    more_.reset();
}

std::span<const Place> Places::all() const
{
    if (more_) return *more_;
    return {&one_, one_ ? 1u : 0u};
}

PendingSet::PendingSet(std::uint32_t count) : count_(count)
{
    std::size_t words = (count + 63) / 64;
    if (words > 1) more_ = std::make_unique<std::vector<std::uint64_t>>(words);
    for (std::size_t i = 0; i < words; ++i) word(i) = ~std::uint64_t{0};
    if (count % 64 != 0) word(words - 1) = (std::uint64_t{1} << count % 64) - 1;
}

bool PendingSet::contains(std::uint32_t index) const { return index < count_ && (word(index / 64) >> index % 64 & 1); }

void PendingSet::erase(std::uint32_t index)
{
    if (index < count_) word(index / 64) &= ~(std::uint64_t{1} << index % 64);
}

void PendingSet::insert(std::uint32_t index)
{
    if (index < count_) word(index / 64) |= std::uint64_t{1} << index % 64;
}

void PendingSet::clear()
{
    for (std::size_t i = 0; i < (count_ + 63) / 64; ++i) word(i) = 0;
}

std::uint32_t PendingSet::size() const
{
    int total = 0;
    for (std::size_t i = 0; i < (count_ + 63) / 64; ++i) total += std::popcount(word(i));
    return static_cast<std::uint32_t>(total);
}

std::vector<std::uint32_t> PendingSet::indexes() const
{
    std::vector<std::uint32_t> result;
    for (std::uint32_t i = 0; i < count_; ++i)
        if (contains(i)) result.push_back(i);
    return result;
}

void Entry::apply(const StateRecord& record)
{
    state = record.state;
    is_expired = record.is_expired;
    was_warned = record.was_warned;
    attempts = record.attempts;
    next_attempt_at = record.next_attempt_at;
    for (std::uint32_t index : record.done) pending.erase(index);
    if (!record.is_complete) return;
    std::vector<std::uint32_t> stay;
    for (const Pending& one : record.deferred)
        if (pending.contains(one.index)) stay.push_back(one.index);
    pending.clear();
    for (std::uint32_t index : stay) pending.insert(index);
}

StateRecord Entry::facts() const
{
    StateRecord record;
    record.state = state;
    record.is_expired = is_expired;
    record.was_warned = was_warned;
    record.attempts = attempts;
    record.next_attempt_at = next_attempt_at;
    return record;
}

Summary Entry::summary(QueueId id) const { return {id, state, next_attempt_at, size, is_expired}; }

Entry make_entry(const AcceptRecord& record, Place accept, std::vector<Place> content)
{
    Entry entry;
    entry.size = record.envelope.size;
    entry.pending = PendingSet(static_cast<std::uint32_t>(record.envelope.recipients.size()));
    entry.accept = accept;
    entry.content = Places(std::move(content));
    entry.state = record.envelope.is_held ? State::held : State::incoming;
    entry.is_expired = record.envelope.is_expired;
    entry.was_warned = record.envelope.was_warned;
    if (record.state) entry.apply(*record.state);
    return entry;
}

PendingReasons::PendingReasons(const AcceptRecord& record)
{
    auto count = static_cast<std::uint32_t>(record.envelope.recipients.size());
    for (std::uint32_t i = 0; i < count; ++i) pending_.push_back({i, {}});
    if (record.state) apply(*record.state);
}

void PendingReasons::apply(const StateRecord& record)
{
    std::vector<const Pending*> said(pending_.empty() ? 0 : pending_.back().index + 1);
    std::vector<bool> is_done(said.size());
    for (const Pending& one : record.deferred)
        if (one.index < said.size()) said[one.index] = &one;
    for (std::uint32_t index : record.done)
        if (index < is_done.size()) is_done[index] = true;
    std::erase_if(pending_,
                  [&](const Pending& one) { return is_done[one.index] || (record.is_complete && !said[one.index]); });
    for (Pending& one : pending_)
        if (said[one.index]) one.reason = said[one.index]->reason;
}

std::vector<Pending> PendingReasons::take() { return std::move(pending_); }

}  // namespace ekiden::queue
