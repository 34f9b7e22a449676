// A bounded cache whose entries expire. When full, the entry closest to expiry of a small sample leaves. Not
// synchronised: keep one per core, or behind a Locked.
#pragma once

#include "base/clock.hpp"

#include <optional>
#include <string>
#include <unordered_map>

namespace ekiden::base {

template <class Value, class Key = std::string>
class TtlCache {
public:
    explicit TtlCache(std::size_t limit) : limit_(limit) {}

    std::optional<Value> find(const Key& key)
    {
        auto at = entries_.find(key);
        if (at == entries_.end()) return std::nullopt;
        if (at->second.expires_at <= steady_now()) {
            entries_.erase(at);
            return std::nullopt;
        }
        return at->second.value;
    }
    void put(Key key, Value value, Duration time_to_live)
    {
        if (entries_.size() >= limit_ && !entries_.contains(key)) evict_one();
        entries_.insert_or_assign(std::move(key), Entry{std::move(value), steady_now() + time_to_live});
    }
    std::size_t size() const { return entries_.size(); }
    void clear() { entries_.clear(); }

private:
    struct Entry {
        Value value;
        SteadyTime expires_at;
    };
    void evict_one()
    {
        auto victim = entries_.begin();
        int looked_at = 0;
        for (auto at = entries_.begin(); at != entries_.end() && looked_at < 8; ++at, ++looked_at) {
            if (at->second.expires_at < victim->second.expires_at) victim = at;
        }
        if (victim != entries_.end()) entries_.erase(victim);
    }
    std::size_t limit_;
    std::unordered_map<Key, Entry> entries_;
};

}  // namespace ekiden::base
