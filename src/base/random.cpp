#include "base/random.hpp"

#include <random>

namespace ekiden::base {

static thread_local std::mt19937_64 generator{(std::uint64_t{std::random_device{}()} << 32) ^ std::random_device{}()};

std::uint64_t random_number() { return generator(); }
std::uint64_t random_below(std::uint64_t bound)
{
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(generator);
}
void fix_random(std::uint64_t seed) { generator.seed(seed); }

}  // namespace ekiden::base
