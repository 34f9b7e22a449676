// How much one client (or its network) does: connections now, and events per time unit (what Postfix's anvil counts).
// One table per service, shared by all cores: 64 shards with a lock each, touched once when a connection begins and once
// when it ends, and per message or recipient only where such a limit is configured.
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "net/endpoint.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <unordered_map>

namespace ekiden::receive {

class ClientTable {
public:
    enum class Event : std::uint8_t { connection, message, recipient };
    struct Key {
        std::array<unsigned char, 16> bytes{};
        bool operator==(const Key&) const = default;
    };
    // The network of the client, as smtpd_client_ipv4_prefix_length and its IPv6 sister cut it.
    static Key key_of(const net::Address& client, unsigned ipv4_prefix, unsigned ipv6_prefix);

    struct Counts {
        int now = 0;    // open connections, this one included
        int rate = 0;   // connections in the current time unit, this one included
    };
    Counts connect(const Key& key, std::chrono::seconds unit);
    void disconnect(const Key& key, std::chrono::seconds unit);
    // Counts one more; what the number is now.
    int count(const Key& key, Event event, std::chrono::seconds unit);
    std::size_t size();

private:
    struct Window {
        SteadyTime began_at{};
        int count = 0;
        int add(SteadyTime now, std::chrono::seconds unit);
    };
    struct Entry {
        int connections = 0;
        std::array<Window, 3> windows;
        bool is_idle(SteadyTime now, std::chrono::seconds unit) const;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    struct Shard {
        std::unordered_map<Key, Entry, Hash> entries;
        std::size_t sweep_at = 64;
        void sweep(SteadyTime now, std::chrono::seconds unit);
    };
    auto shard_of(const Key& key) { return shards_[Hash()(key) % shards_.size()].lock(); }
    std::array<base::Locked<Shard>, 64> shards_;
};

}  // namespace ekiden::receive
