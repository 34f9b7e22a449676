#include "rewrite/characters.hpp"

#include <gtest/gtest.h>

using ekiden::rewrite::CharacterRules;

TEST(Characters, ReadsEscapes)
{
    using namespace std::string_view_literals;
    struct Row {
        std::string_view setting, content, kept;
    };
    for (const Row& row : {
             Row{"\\0", "a\0b"sv, "ab"},
             Row{"\\1\\002", "a\1b\2c", "abc"},
             Row{"\\0012", "a\1b2c", "abc"},      // three digits, and a 2
             Row{"\\18", "a\1b8c", "abc"},        // no octal digit
             Row{"\\a\\b\\f\\r\\t\\v", "\a\b\f\r\t\vx", "x"},
             Row{"\\\\", "a\\b", "ab"},
             Row{"\\", "a\\b", "ab"},             // at the end: itself
             Row{"\\q", "aqb", "ab"},             // an escape that means nothing
             Row{"\\377", "a\xff", "a"},
             Row{"\\777", "a\xff", "a"},          // as much of it as a byte holds
             Row{"\\n", "a\nb\n", "a\nb\n"},      // lines stay lines
             Row{"", "a\1b", "a\1b"},
         }) {
        EXPECT_EQ(CharacterRules(row.setting, "").strip(row.content), row.kept) << row.setting;
    }
}

TEST(Characters, FindsTheFirstThatIsRefused)
{
    const CharacterRules rules("", "\\001x");
    EXPECT_EQ(rules.find_refused("ab\1x"), 2u);
    EXPECT_EQ(rules.find_refused("abc"), std::string_view::npos);
    EXPECT_TRUE(rules.has_refused());
    EXPECT_FALSE(rules.has_stripped());
    EXPECT_FALSE(CharacterRules("", "\\n").has_refused());
    EXPECT_FALSE(CharacterRules().has_refused());
}
