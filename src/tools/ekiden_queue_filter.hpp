// What `ekiden queue` asks of a message: its filters, read from the command line, and the message as the detailed listing
// shows it. Pure. All filters that are given must hold.
#pragma once

#include "base/result.hpp"
#include "mail/queue_id.hpp"
#include "net/endpoint.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

// One line of the listing.
struct QueueEntry {
    std::string queue_name, id, sender;      // sender "" = the null sender
    std::int64_t arrived_at = 0;             // seconds
    std::uint64_t size = 0;
    bool is_expired = false;
    struct Recipient {
        std::string address, reason;         // in internal form
    };
    std::vector<Recipient> recipients;       // those that are not done
    std::string client_name, client_address, filter;
};
// Nothing where the line is no object of the listing.
std::optional<QueueEntry> parse_queue_entry(std::string_view json_line);

struct QueueFilter {
    std::vector<std::string> senders, recipients, domains, reasons, destinations, clients;  // one of each kind must fit
    std::set<std::string> queues;            // "hold", "deferred", "incoming", "active"
    std::optional<std::chrono::seconds> older, younger;
    std::optional<std::uint64_t> larger, smaller, exactly;    // bytes
    std::set<std::uint64_t> ids;

    bool is_empty() const;
    // Everything but --destination, which needs the resolver.
    bool matches(const QueueEntry& entry, std::int64_t now) const;
};

// "30m", "2h", "3d", "90" (seconds).
Result<std::chrono::seconds> parse_age(std::string_view text);
struct SizeLimit {
    char sign = 0;                           // '+' larger than, '-' smaller than, 0 exactly
    std::uint64_t bytes = 0;
};
// "+1M", "-10k", "512".
Result<SizeLimit> parse_size_limit(std::string_view text);
// Shell pattern, whatever the case. The null sender is matched by "", "<>" and "MAILER-DAEMON".
bool fits(std::string_view text, const std::string& pattern);
// Of --destination: a transport, a next hop or its host, or transport:nexthop; as written, or as a pattern.
bool fits_destination(std::string_view transport, std::string_view next_hop, const std::string& pattern);

}  // namespace ekiden::tools
