// The queue as postqueue prints it: -p (text) and -j (one JSON object a line). Used by the engine for the control
// socket, and by the commands themselves when no engine runs.
#pragma once

#include "queue/store.hpp"

#include <functional>
#include <string_view>

namespace ekiden::queue {

enum class ListingFormat : std::uint8_t { text, json };

// Blocks while it reads. `is_active` marks what is being delivered ('*'). Output comes in pieces of some 64 KiB;
// `out` returns false to stop early. An empty queue is "Mail queue is empty" (text) or nothing (JSON).
Result<void> write_listing(const Store& store, ListingFormat format, const std::function<bool(QueueId)>& is_active,
                           const std::function<bool(std::string_view)>& out);

}  // namespace ekiden::queue
