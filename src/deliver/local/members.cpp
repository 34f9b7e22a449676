// Members of a list, side by side: each waits for a disk, and a thousand of them one after the other take a thousand times
// as long as one. Only the usual case, mail for the mailbox of a user without a .forward; whoever turns out to have one gets
// the long way when the others are done, in the order of the list.
#include "deliver/local/delivery.hpp"

#include <algorithm>
#include <numeric>

namespace ekiden::deliver {

namespace {

constexpr std::size_t side_by_side = 64;    // as many as keep the helper busy and leave room for others

}  // namespace

// True when the member's mail is on its way; finish_members() knows what became of it.
Task<bool> LocalDelivery::start_member(const Person& person)
{
    if (person.from == From::envelope) co_return false;    // alone: nothing to be gained
    // Somebody who is on the list twice gets what he gets when one is done before the other begins.
    if (delivering_.contains(person.user->name)) co_await finish_members();
    auto unless = forward_files(person);
    if (unless.empty()) co_return false;
    co_await under_way_->wait(side_by_side - 1);
    Person member = person;
    member.place = ++last_place_;
    delivering_.insert(person.user->name);
    seen_.insert("mailbox:" + person.user->name);
    under_way_->start(deliver_to_member(std::move(member), std::move(unless)));
    co_return true;
}

Task<void> LocalDelivery::deliver_to_member(Person person, std::vector<std::string> unless)
{
    FileTarget target = mailbox_of(*person.user);
    target.user_name = person.name;
    auto outcome = co_await deliver_to_file_unless(*services_.helper, job_, std::move(target),
                                                   facts_of_person(person, options_.marks_files), options_.mailbox,
                                                   std::move(unless));
    std::string mark = "mailbox:" + person.user->name;
    delivering_.erase(person.user->name);
    if (outcome) {
        add(person, std::move(*outcome));
        // Beyond duplicate_filter_limit nobody is remembered.
        if (options_.duplicate_limit != 0 && seen_.size() > options_.duplicate_limit) seen_.erase(mark);
    } else {
        seen_.erase(mark);
        with_forward_.push_back(std::move(person));
    }
}

Task<void> LocalDelivery::finish_members()
{
    while (!delivering_.empty() || !with_forward_.empty()) {
        co_await under_way_->wait();
        auto others = std::exchange(with_forward_, {});
        std::ranges::sort(others, {}, &Person::place);
        for (const Person& person : others) {
            if (co_await deliver_to_forward(person)) continue;
            co_await deliver_to_mailbox(person);
        }
    }
}

// Outcomes as if one had been delivered after the other.
void LocalDelivery::put_in_order()
{
    if (std::ranges::is_sorted(places_)) return;
    std::vector<std::size_t> order(outcomes_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [this](std::size_t i) { return std::pair(places_[i], i); });
    std::vector<Outcome> sorted;
    sorted.reserve(outcomes_.size());
    for (std::size_t i : order) sorted.push_back(std::move(outcomes_[i]));
    outcomes_ = std::move(sorted);
    std::ranges::sort(places_);
}

}  // namespace ekiden::deliver
