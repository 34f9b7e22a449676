// Connections kept open between messages for the same destination, one cache per core. A connection waits at most
// smtp_connection_cache_time_limit; it is kept only when another message is likely to come (other deliveries to the
// destination run, or one began within the last second), or for smtp_connection_cache_destinations.
//
// It also remembers which peers offer CHUNKING and do not know BDAT (something between us and them may write the offer).
//
// Bounded: `sessions_per_destination`, `sessions_per_core`, `destinations_per_core`, `peers_without_chunks`. One core's thread.
#pragma once

#include "deliver/smtp/client.hpp"
#include "net/deadline.hpp"

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ekiden::deliver::smtp {

class Reuse : public std::enable_shared_from_this<Reuse> {
public:
    static constexpr std::size_t sessions_per_destination = 20, sessions_per_core = 500, destinations_per_core = 10'000,
                                 peers_without_chunks = 1000;

    explicit Reuse(net::Executor executor) : timer_(std::move(executor)) {}
    ~Reuse();

    // Around each delivery to a destination; the pass tells how busy the destination is.
    class Pass {
    public:
        Pass(std::shared_ptr<Reuse> reuse, std::string destination);
        ~Pass();
        Pass(const Pass&) = delete;
        Pass& operator=(const Pass&) = delete;
        bool is_busy() const;   // will another message come soon?

    private:
        std::shared_ptr<Reuse> reuse_;
        std::string destination_;
        bool follows_closely_ = false;
    };

    // The connection used last, within its limits; null when there is none.
    SessionPtr take(const std::string& destination, const Options& options);
    // Keeps it, or says farewell when there are too many.
    void keep(const std::string& destination, SessionPtr session, const Options& options);
    bool may_keep(const Session& session, const Options& options) const;
    void close_all();

    // `relay` as Session::relay(); when there are too many, some get a new chance.
    void give_no_chunks_to(const std::string& relay);
    bool takes_chunks(const std::string& relay) const
    {
        return without_chunks_.empty() || !without_chunks_.contains(relay);
    }

private:
    struct Destination {
        unsigned deliveries = 0;         // running now
        SteadyTime last_started_at{};
        std::vector<SessionPtr> idle;    // oldest first
    };
    void sweep();
    void schedule_sweep();
    std::unordered_map<std::string, Destination> destinations_;
    std::unordered_set<std::string> without_chunks_;
    std::size_t idle_count_ = 0;
    bool is_sweeping_ = false;
    net::Timer timer_;
};

}  // namespace ekiden::deliver::smtp
