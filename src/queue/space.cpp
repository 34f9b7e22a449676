#include "queue/space.hpp"

namespace ekiden::queue {

std::uint64_t Space::free() const
{
    constexpr auto every = std::chrono::steady_clock::duration(std::chrono::seconds(1)).count();
    auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    auto before = asked_at_.load();
    // One caller asks, the others go on with what is known.
    if ((before == 0 || now - before >= every) && asked_at_.compare_exchange_strong(before, now))
        if (auto bytes = disk_.free_space(directory_)) known_ = *bytes;
    return known_;
}

}  // namespace ekiden::queue
