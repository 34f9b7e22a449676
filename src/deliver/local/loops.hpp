// Mail that comes back to an address it has been delivered to before.
#pragma once

#include "base/result.hpp"
#include "net/task.hpp"
#include "queue/content.hpp"

#include <string>

namespace ekiden::deliver {

// Does a Delivered-To field name this address (internal form) already? Reads the message up to the end of its header.
Task<Result<bool>> has_delivered_to(queue::ContentPtr content, std::string address);

}  // namespace ekiden::deliver
