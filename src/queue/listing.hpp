// The queue as postqueue prints it: -p (text) and -j (one JSON object a line). Used by the engine for the control
// socket, and by the commands themselves when no engine runs. `detailed` is JSON with what Postfix's has no place for:
// client_name, client_address, sasl_username, filter (where they are known), next_attempt, attempts.
#pragma once

#include "queue/store.hpp"

#include <functional>
#include <string_view>
#include <vector>

namespace ekiden::queue {

enum class ListingFormat : std::uint8_t { text, json, detailed };

// A message that is not in the store (a file in the maildrop folder) and is listed behind the others.
struct ListedMessage {
    std::string queue_name, id;
    WallTime arrived_at{};
    std::uint64_t size = 0;
    std::string sender;                       // internal form, as the recipients
    std::vector<std::string> recipients;
};

// Blocks while it reads. `is_active` marks what is being delivered ('*'). Output comes in pieces of some 64 KiB;
// `out` returns false to stop early. An empty queue is "Mail queue is empty" (text) or nothing (JSON).
Result<void> write_listing(const Store& store, ListingFormat format, const std::function<bool(QueueId)>& is_active,
                           const std::function<bool(std::string_view)>& out,
                           const std::vector<ListedMessage>& more = {});

// The same where there is no store yet.
void write_listing(ListingFormat format, const std::function<bool(std::string_view)>& out,
                   const std::vector<ListedMessage>& messages);

}  // namespace ekiden::queue
