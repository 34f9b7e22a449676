#include "sasl/saslprep.hpp"

#include <gtest/gtest.h>

namespace ekiden::sasl {

// RFC 4013, section 3, and what goes beyond ASCII.
TEST(Saslprep, MapsAndNormalizes)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"user", "user"},
        {"USER", "USER"},
        {"a b", "a b"},
        {"I\u00adX", "IX"},                     // soft hyphen: to nothing
        {"\u00aa", "a"},                        // feminine ordinal: NFKC
        {"\u2168", "IX"},                       // roman nine
        {"p\u00a0q", "p q"},                    // another space
        {"e\u0301", "\u00e9"},                  // composed
        {"\u30d1\u30b9\u30ef\u30fc\u30c9", "\u30d1\u30b9\u30ef\u30fc\u30c9"},
        {"\U0001f511", "\U0001f511"},           // younger than Unicode 3.2
    };
    for (const auto& [given, wanted] : cases) {
        const auto prepared = prepare(given);
        ASSERT_TRUE(prepared) << given;
        EXPECT_EQ(prepared->view(), wanted) << given;
    }
}

TEST(Saslprep, ExpandsTheLongestLetter)
{
    std::string text;
    for (int i = 0; i < 200; ++i) text += "\ufdfa";    // eighteen letters each
    const auto prepared = prepare(text);
    ASSERT_TRUE(prepared);
    EXPECT_EQ(prepared->size(), 200U * 33);
}

TEST(Saslprep, RefusesWhatIsProhibited)
{
    for (const std::string_view text :
         {"\x07", "a\x7f", "a\nb", "\u0627\x31" /* bidirectional */, "\ufffd", "a\u200e", "\xff\xfe", "\xc3"}) {
        EXPECT_FALSE(prepare(text)) << text;
    }
    EXPECT_FALSE(prepare(std::string_view("a\0b", 3)));
    EXPECT_FALSE(prepare(std::string_view("\u00e9\0b", 4)));
}

}  // namespace ekiden::sasl
