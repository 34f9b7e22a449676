// Keys for session tickets (RFC 5077, RFC 8446 4.6.1): in memory alone, never on a disk, made new as time goes by. A key
// seals tickets for one lifetime and opens them for one more; a stolen memory image opens nothing older than that. One
// set for the process, so that a client may come back on any core and after a reload. Thread: any.
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::tls {

struct TicketKey {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{}, digest{};
    SteadyTime made_at{};
    ~TicketKey();
};

class TicketKeys {
public:
    struct Found {
        TicketKey key;
        bool is_current = false;    // false: opens the ticket, but the client should get a new one
    };
    // The key that seals now. Nothing: there is no randomness to make one from.
    std::optional<TicketKey> current(SteadyTime now, std::chrono::seconds lifetime);
    std::optional<Found> find(const unsigned char* name, SteadyTime now, std::chrono::seconds lifetime);
    std::size_t size();

    static TicketKeys& of_process();

private:
    struct Keys {
        std::vector<TicketKey> list;            // newest last
        std::chrono::seconds longest{0};        // lifetime anybody asked for: services may differ
        void forget_old(SteadyTime now);
    };
    base::Locked<Keys> keys_;
};

}  // namespace ekiden::tls
