// What is known of addresses that were probed, and which probes are under way. Pure but for the time it is told; bounded:
// past `limit` addresses the oldest of a few makes room. Not synchronised.
//
// An answer is believed until it expires. A while before, it is due for a new probe, while the old answer still counts; a
// probe that fails does not take back an answer that was good and has not expired.
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

namespace ekiden::verify {

enum class Standing : std::uint8_t { deliverable, deferred, undeliverable };

struct Answer {
    Standing standing = Standing::deferred;
    WallTime at{};
    std::string text;     // of the delivery agent, at most `longest_text` bytes
};
inline constexpr std::size_t longest_text = 250;

struct CachePolicy {
    std::chrono::seconds positive_expire{31 * 86400}, positive_refresh{7 * 86400};
    std::chrono::seconds negative_expire{3 * 86400}, negative_refresh{3 * 3600};
    bool keeps_negative = true;             // else failures are known for as long as somebody may wait for them
    std::size_t pending_limit = 5000;       // probes under way
};

class Cache {
public:
    // A probe that says nothing for so long is lost.
    static constexpr std::chrono::seconds probe_time{1000};
    static constexpr std::chrono::seconds brief_memory{60};

    explicit Cache(std::size_t limit = 200'000) : limit_(limit) {}
    void use(const CachePolicy& policy) { policy_ = policy; }

    struct Found {
        std::optional<Answer> answer;       // usable
        bool is_due = false;                // a probe should go out (none is under way)
        bool is_pending = false;            // one is under way
    };
    Found find(const std::string& address, WallTime now);
    // False when too many are under way already.
    bool begin_probe(const std::string& address, WallTime now);
    // True when the answer was taken (and is worth keeping on disk).
    bool learn(const std::string& address, Answer answer, WallTime now);

    // Some of the entries; expired ones go. Returns true when it came round. `on_kept` sees what stays.
    struct Cleaning {
        std::size_t next_bucket = 0;
        std::size_t retained = 0, dropped = 0;
    };
    using OnKept = std::function<void(const std::string& address, const Answer& answer)>;
    bool clean(Cleaning& progress, std::size_t buckets, WallTime now, const OnKept& on_kept = {});

    std::size_t size() const { return entries_.size(); }
    std::size_t pending() const { return pending_; }
    // Of the journal, when it is read back.
    void put(const std::string& address, Answer answer);

private:
    struct Entry {
        std::optional<Answer> answer;
        WallTime probed_at{};               // {}: none under way
    };
    bool has_expired(const Answer& answer, WallTime now) const;
    void forget_lost_probes(WallTime now);
    void end_probe(Entry& entry);
    Entry& make_room_for(const std::string& address);

    std::size_t limit_;
    CachePolicy policy_;
    std::unordered_map<std::string, Entry> entries_;
    std::size_t pending_ = 0;
    std::deque<std::pair<WallTime, std::string>> started_;    // oldest first
};

}  // namespace ekiden::verify
