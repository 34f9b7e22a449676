// CRC-32C (Castagnoli), by the processor's instruction where there is one. Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace ekiden::queue {

// The check of `bytes`, continuing from the check of what stood before them (0 = nothing).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// The table version, whatever the processor can do (the tests hold both against each other).
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace ekiden::queue
