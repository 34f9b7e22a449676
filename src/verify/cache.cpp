#include "verify/cache.hpp"

#include <algorithm>

namespace ekiden::verify {

bool Cache::has_expired(const Answer& answer, WallTime now) const
{
    if (answer.standing == Standing::deliverable) return answer.at + policy_.positive_expire <= now;
    return answer.at + (policy_.keeps_negative ? policy_.negative_expire : brief_memory) <= now;
}

void Cache::end_probe(Entry& entry)
{
    if (entry.probed_at == WallTime{}) return;
    entry.probed_at = {};
    if (pending_ > 0) --pending_;
}

void Cache::forget_lost_probes(WallTime now)
{
    for (; !started_.empty() && started_.front().first + probe_time <= now; started_.pop_front()) {
        const auto at = entries_.find(started_.front().second);
        if (at == entries_.end() || at->second.probed_at != started_.front().first) continue;
        end_probe(at->second);
        if (!at->second.answer) entries_.erase(at);
    }
}

Cache::Found Cache::find(const std::string& address, WallTime now)
{
    forget_lost_probes(now);
    Found found;
    const auto at = entries_.find(address);
    if (at == entries_.end()) {
        found.is_due = true;
        return found;
    }
    const Entry& entry = at->second;
    found.is_pending = entry.probed_at != WallTime{};
    if (entry.answer && !has_expired(*entry.answer, now)) {
        found.answer = entry.answer;
        const auto refresh =
            entry.answer->standing == Standing::deliverable ? policy_.positive_refresh : policy_.negative_refresh;
        found.is_due = !found.is_pending && entry.answer->at + refresh <= now;
    } else {
        found.is_due = !found.is_pending;
    }
    return found;
}

Cache::Entry& Cache::make_room_for(const std::string& address)
{
    if (entries_.size() >= limit_ && !entries_.contains(address)) {
        constexpr int sample = 8;
        // Somewhere in the table, so that it is not always the same few that go.
        std::size_t bucket = std::hash<std::string>{}(address) % entries_.bucket_count();
        const std::string* oldest = nullptr;
        WallTime oldest_at{};
        int seen = 0;
        for (std::size_t looked = 0; seen < sample && looked < entries_.bucket_count();
             ++looked, bucket = (bucket + 1) % entries_.bucket_count()) {
            for (auto at = entries_.cbegin(bucket); at != entries_.cend(bucket) && seen < sample; ++at, ++seen) {
                const WallTime since = at->second.answer ? at->second.answer->at : at->second.probed_at;
                if (!oldest || since < oldest_at) oldest = &at->first, oldest_at = since;
            }
        }
        if (oldest) {
            const auto victim = entries_.find(*oldest);
            end_probe(victim->second);
            entries_.erase(victim);
        }
    }
    return entries_[address];
}

bool Cache::begin_probe(const std::string& address, WallTime now)
{
    forget_lost_probes(now);
    if (pending_ >= policy_.pending_limit) return false;
    Entry& entry = make_room_for(address);
    end_probe(entry);
    entry.probed_at = now;
    ++pending_;
    started_.emplace_back(now, address);
    return true;
}

bool Cache::learn(const std::string& address, Answer answer, WallTime now)
{
    if (answer.text.size() > longest_text) answer.text.resize(longest_text);
    const bool is_good = answer.standing == Standing::deliverable;
    if (const auto at = entries_.find(address); at != entries_.end() && !is_good) {
        const auto& known = at->second.answer;
        // The probe stays noted as under way, so that the next one waits for a while.
        if (known && known->standing == Standing::deliverable && !has_expired(*known, now)) return false;
    }
    Entry& entry = make_room_for(address);
    end_probe(entry);
    entry.answer = std::move(answer);
    return is_good || policy_.keeps_negative;
}

void Cache::put(const std::string& address, Answer answer) { make_room_for(address).answer = std::move(answer); }

bool Cache::clean(Cleaning& progress, std::size_t buckets, WallTime now, const OnKept& on_kept)
{
    std::vector<std::string> dead;
    for (; buckets > 0 && progress.next_bucket < entries_.bucket_count(); --buckets, ++progress.next_bucket) {
        for (auto at = entries_.begin(progress.next_bucket); at != entries_.end(progress.next_bucket); ++at) {
            Entry& entry = at->second;
            if (entry.answer && !has_expired(*entry.answer, now)) {
                ++progress.retained;
                if (on_kept) on_kept(at->first, *entry.answer);
            } else if (entry.probed_at == WallTime{}) {
                dead.push_back(at->first);
            }
        }
    }
    progress.dropped += dead.size();
    for (const std::string& address : dead) entries_.erase(address);
    return progress.next_bucket >= entries_.bucket_count();
}

}  // namespace ekiden::verify
