// Whose turn it is on a transport: destinations that may start a delivery, in lanes by the message that stands first there.
// Lanes take turns, so a message to 50,000 destinations (a list of local users, each a destination) has one turn in the
// round and holds up nobody; within its lane its destinations keep their order. Pure; lives on the scheduler's core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

namespace ekiden::schedule {

template <typename Item>
class Turns {
public:
    void add(std::uint64_t lane, Item item)
    {
        auto [at, is_new] = lanes_.try_emplace(lane);
        at->second.push_back(std::move(item));
        if (is_new) round_.push_back(lane);
        ++size_;
    }
    // The next one; there must be one.
    Item take()
    {
        std::uint64_t lane = round_.front();
        round_.pop_front();
        auto at = lanes_.find(lane);
        Item item = std::move(at->second.front());
        at->second.pop_front();
        if (at->second.empty()) lanes_.erase(at);
        else round_.push_back(lane);
        --size_;
        return item;
    }
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }

private:
    std::unordered_map<std::uint64_t, std::deque<Item>> lanes_;   // never an empty one
    std::deque<std::uint64_t> round_;                             // each lane once
    std::size_t size_ = 0;
};

}  // namespace ekiden::schedule
