// How much one client (or its network) does: connections now, and events per time unit (what Postfix's anvil counts).
// One table per service, shared by all cores: 64 shards with a lock each, touched once when a connection begins and once
// when it ends, and per message, recipient, login or TLS handshake only where such a limit is configured.
//
// Handlers do not use it directly: Session has refuse_excess_*() for each kind of event (rates.cpp), which count, log
// and reply. Lines and replies (N: events, this one included; CLIENT is name[address]; S: first column of master.cf):
//   connection  "warning: Connection rate limit exceeded: N from CLIENT for service S"    421 4.7.0, session ends
//   message     "warning: Message delivery request rate limit exceeded: …"                450 4.7.1 too much mail
//   recipient   "warning: Recipient address rate limit exceeded: …"                       450 4.7.1 too many recipients
//   authentication  "warning: AUTH command rate limit exceeded: …"                        450 4.7.1 too many AUTH commands
//   tls_session "warning: New TLS session rate limit exceeded: …"                         421 4.7.0, session ends
//       and for who comes again: "warning: Refusing STARTTLS request from CLIENT for service S"      454 4.7.0
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "net/endpoint.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ekiden::receive {

class ClientTable {
public:
    enum class Event : std::uint8_t { connection, message, recipient, tls_session, authentication };
    static constexpr std::size_t event_count = 5;
    struct Key {
        std::array<unsigned char, 16> bytes{};
        bool operator==(const Key&) const = default;
    };
    // The network of the client, as smtpd_client_ipv4_prefix_length and its IPv6 sister cut it.
    static Key key_of(const net::Address& client, unsigned ipv4_prefix, unsigned ipv6_prefix);
    // The address of a key as the statistics show it; that of the network where the prefix is shorter.
    static std::string text_of(const Key& key);

    struct Counts {
        int now = 0;    // open connections, this one included
        int rate = 0;   // connections in the current time unit, this one included
    };
    Counts connect(const Key& key, std::chrono::seconds unit);
    void disconnect(const Key& key, std::chrono::seconds unit);
    // Counts one more; what the number is now.
    int count(const Key& key, Event event, std::chrono::seconds unit);
    // What the number is, without one more.
    int count_so_far(const Key& key, Event event, std::chrono::seconds unit);
    std::size_t size();

    // The highest numbers since the last call, and who had them when; nothing for what did not happen.
    struct Maximum {
        int number = 0;
        Key who;
        WallTime at{};
    };
    struct Statistics {
        std::array<Maximum, event_count> rates;     // by Event
        Maximum connections;
        Maximum clients;                            // remembered at once
        // anvil's lines: "statistics: max connection rate 5/60s for (smtp:192.0.2.1) at Nov 22 05:35:10".
        std::vector<std::string> lines(std::string_view service, std::chrono::seconds unit) const;
    };
    Statistics take_statistics();

private:
    struct Window {
        SteadyTime began_at{};
        int count = 0;
        int add(SteadyTime now, std::chrono::seconds unit);
    };
    struct Entry {
        int connections = 0;
        std::array<Window, event_count> windows;
        bool is_idle(SteadyTime now, std::chrono::seconds unit) const;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    struct Shard {
        std::unordered_map<Key, Entry, Hash> entries;
        std::size_t sweep_at = 64;
        Statistics highest;
        void sweep(SteadyTime now, std::chrono::seconds unit, std::atomic<int>& clients);
        static void note(Maximum& maximum, int number, const Key& key);
    };
    Entry& entry_of(Shard& shard, const Key& key);
    auto shard_of(const Key& key) { return shards_[Hash()(key) % shards_.size()].lock(); }
    std::array<base::Locked<Shard>, 64> shards_;
    std::atomic<int> clients_{0};   // entries of all shards
};

}  // namespace ekiden::receive
