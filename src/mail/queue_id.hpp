// The name of a queued message: one number, printed in Postfix's shapes.
//
// The number is the time the id was made, in microseconds since 1970, moved up where needed so that no two ids of an
// instance are equal. Text and number map onto each other, so no table is needed to find a message by its id:
//   short (enable_long_queue_ids = no):  5 hex digits of microseconds, then the seconds in hex   "60EBA6A02B4C2"
//   long  (yes):   6+ base-52 digits of seconds, 4 of microseconds, 'z', one more field           "4gTk8R1dQhz1"
// Log parsers know both by their alphabet. Thread: values.
#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::mail {

struct QueueId {
    std::uint64_t value = 0;

    auto operator<=>(const QueueId&) const = default;
    explicit operator bool() const { return value != 0; }
    WallTime made_at() const { return WallTime(Duration(value)); }
};

// Process-wide: the shape that format() uses (set once per settings snapshot from enable_long_queue_ids).
void use_long_queue_ids(bool is_long);
std::string format(QueueId id);
// Either shape; nothing when the text is not an id.
std::optional<QueueId> parse_queue_id(std::string_view text);

// The next unused id: now, or one more than the last one given out. Thread: any.
QueueId make_queue_id();
// Ids at or below `used` will not be given out again (recovery calls it with the newest id found).
void reserve_queue_ids(QueueId used);

}  // namespace ekiden::mail

template <>
struct std::hash<ekiden::mail::QueueId> {
    std::size_t operator()(ekiden::mail::QueueId id) const noexcept
    {
        return std::hash<std::uint64_t>{}(id.value * 0x9e3779b97f4a7c15ull);
    }
};
