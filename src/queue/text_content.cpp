#include "queue/text_content.hpp"

#include "queue/content_log.hpp"

namespace ekiden::queue {

ContentPtr text_content(std::string bytes)
{
    auto budget = std::make_shared<MemoryBudget>(bytes.size());    // its own, and just enough
    return content_in_memory(budget, std::make_shared<const std::string>(std::move(bytes)));
}

}  // namespace ekiden::queue
