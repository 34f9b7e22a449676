#include "base/text.hpp"

#include <gtest/gtest.h>

namespace ekiden::base {

TEST(Text, SplitAnyLeavesOutEmptyPieces)
{
    EXPECT_EQ(split_any(" a, b\t\n,c "), (std::vector<std::string_view>{"a", "b", "c"}));
    EXPECT_TRUE(split_any(" ,\t").empty());
}

TEST(Text, SplitKeepsEmptyPieces) { EXPECT_EQ(split("a::b:", ':'), (std::vector<std::string_view>{"a", "", "b", ""})); }

TEST(Text, BracesHoldTogether)
{
    EXPECT_EQ(split_quoted_braces("inline:{ a=b, c=d } hash:/x"),
              (std::vector<std::string_view>{"inline:{ a=b, c=d }", "hash:/x"}));
    EXPECT_EQ(split_quoted_braces("{{a b} c} }d"), (std::vector<std::string_view>{"{{a b} c}", "}d"}));
}

TEST(Text, NumbersAreWholeOrNothing)
{
    EXPECT_EQ(parse_number<int>("42"), 42);
    for (auto bad : {"", " 42", "42 ", "4x", "99999999999999999999"}) EXPECT_FALSE(parse_number<int>(bad)) << bad;
}

TEST(Text, PrintableKeepsUtf8AndHidesControls)
{
    EXPECT_EQ(printable("a\r\nb"), "a??b");
    EXPECT_EQ(printable("d\xc3\xa9j\xc3\xa0"), "d\xc3\xa9j\xc3\xa0");
    EXPECT_EQ(printable("\xff\xc0\x80"), "???");
    EXPECT_EQ(printable("\xed\xa0\x80"), "???");   // a surrogate
}

TEST(Text, EditDistanceIsBounded)
{
    EXPECT_EQ(edit_distance("relayhost", "relay_host"), 1);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
    EXPECT_EQ(edit_distance("abc", "completely different", 3), 4);
}

}  // namespace ekiden::base
