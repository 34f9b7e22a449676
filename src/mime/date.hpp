// Dates as header fields carry them (RFC 5322 3.3), in the local time zone as Postfix prints them. Thread: any.
#pragma once

#include "base/clock.hpp"

#include <string>

namespace ekiden::mime {

// "Sun, 22 Nov 2026 05:34:42 +0000 (UTC)"
std::string format_date(WallTime time);

}  // namespace ekiden::mime
