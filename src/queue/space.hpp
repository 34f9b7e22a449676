// How much room the disk has left, asked at most once a second. Thread: any.
#pragma once

#include "queue/disk.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace ekiden::queue {

class Space {
public:
    Space(Disk& disk, std::string directory, std::uint64_t minimum_free)
        : disk_(disk), directory_(std::move(directory)), minimum_free_(minimum_free)
    {
    }

    std::uint64_t free() const;    // bytes; what was last known when the disk does not answer
    // A message that comes in leaves at least minimum_free.
    bool has_room_for(std::uint64_t size) const { return free() >= minimum_free_ && free() - minimum_free_ >= size; }

private:
    Disk& disk_;
    const std::string directory_;
    const std::uint64_t minimum_free_;
    mutable std::atomic<std::uint64_t> known_{UINT64_MAX};
    mutable std::atomic<std::chrono::steady_clock::rep> asked_at_{0};    // 0: never
};

}  // namespace ekiden::queue
