#include "base/fold.hpp"

#include <gtest/gtest.h>

namespace ekiden::base {
namespace {

TEST(fold_case, knows_letters_outside_ascii)
{
    const struct {
        std::string_view given, want;
    } cases[] = {
        {"", ""}, {"User@Example.COM", "user@example.com"}, {"B\xc3\x9c" "CHER.test", "b\xc3\xbc" "cher.test"},          // U+00DC
        {"\xd0\x94\xd0\xbe\xd0\x9c", "\xd0\xb4\xd0\xbe\xd0\xbc"},                                              // Cyrillic
        {"\xf0\x90\x90\x80x", "\xf0\x90\x90\xa8x"},                                                           // Deseret, beyond 16 bits
        {"stra\xc3\x9f" "e", "stra\xc3\x9f" "e"}, {"\xe4\xb8\xad" "A", "\xe4\xb8\xad" "a"},
        {"A\xff" "B", "a\xff" "b"},                                                                           // no UTF-8
    };
    for (const auto& c : cases) EXPECT_EQ(fold_case(c.given), c.want) << c.given;
}

}  // namespace
}  // namespace ekiden::base
