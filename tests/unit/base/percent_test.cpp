#include "base/percent.hpp"

#include <gtest/gtest.h>

namespace ekiden::base {
namespace {

TEST(Percent, every_byte_comes_back)
{
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    for (const Blanks blanks : {Blanks::stay, Blanks::are_encoded}) {
        const std::string coded = percent_encode(all, blanks);
        for (const char c : coded)
            EXPECT_TRUE(static_cast<unsigned char>(c) > (blanks == Blanks::stay ? 31 : 32) && c != 127);
        EXPECT_EQ(percent_decode(coded), all);
    }
    EXPECT_EQ(percent_encode("a b%\n"), "a%20b%25%0A");
    EXPECT_EQ(percent_encode("a b", Blanks::stay), "a b");
}

TEST(Percent, half_an_escape_is_refused)
{
    for (const char* bad : {"%", "a%4", "%zz", "%4", "x%+1", "% 1"}) EXPECT_FALSE(percent_decode(bad)) << bad;
    EXPECT_EQ(percent_decode(""), "");
    EXPECT_EQ(percent_decode("%41%2f"), "A/");
}

}  // namespace
}  // namespace ekiden::base
