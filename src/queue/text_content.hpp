// Content that is no message of the queue's: a text in memory, whole, outside of every budget. For notices, rehearsals, tests.
#pragma once

#include "queue/content.hpp"

#include <string>

namespace ekiden::queue {

ContentPtr text_content(std::string bytes);

}  // namespace ekiden::queue
