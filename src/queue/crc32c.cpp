#include "queue/crc32c.hpp"

#include <array>
#include <cstring>

namespace ekiden::queue {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// Row 0 is the usual byte table; row n advances a byte by n more zero bytes, so that eight bytes cost eight look-ups
// that do not wait for each other.
constexpr Tables make_tables()
{
    Tables tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0u);
        tables[0][i] = value;
    }
    for (std::uint32_t i = 0; i < 256; ++i)
        for (std::size_t row = 1; row < 8; ++row)
            tables[row][i] = (tables[row - 1][i] >> 8) ^ tables[0][tables[row - 1][i] & 0xff];
    return tables;
}
constinit const Tables tables = make_tables();

std::uint32_t load_word(const char* bytes)
{
    auto at = [bytes](int i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
    return at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(std::string_view bytes, std::uint32_t before)
{
    std::uint64_t value = ~before;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        value = __builtin_ia32_crc32di(value, word);
    }
    auto narrow = static_cast<std::uint32_t>(value);
    for (; left > 0; --left, ++at) narrow = __builtin_ia32_crc32qi(narrow, static_cast<unsigned char>(*at));
    return ~narrow;
}
const bool has_instruction = __builtin_cpu_supports("sse4.2");
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before)
{
    std::uint32_t value = ~before;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint32_t low = load_word(at) ^ value, high = load_word(at + 4);
        value = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
                tables[4][low >> 24] ^ tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^
                tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
    }
    for (; left > 0; --left, ++at) value = (value >> 8) ^ tables[0][(value ^ static_cast<unsigned char>(*at)) & 0xff];
    return ~value;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before)
{
#if defined(__x86_64__)
    if (has_instruction) return crc32c_by_instruction(bytes, before);
#endif
    return crc32c_by_table(bytes, before);
}

}  // namespace ekiden::queue
