// Randomness for jitter, boundaries and shuffles, which a test can fix; not for keys. Thread: any.
#pragma once

#include <cstdint>

namespace ekiden::base {

std::uint64_t random_number();                       // 64 random bits
std::uint64_t random_below(std::uint64_t bound);     // 0 … bound-1; bound > 0
void fix_random(std::uint64_t seed);                 // this thread only, for tests

}  // namespace ekiden::base
