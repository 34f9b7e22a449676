#include "base/option_words.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ekiden::base {

TEST(OptionWords, TakesValuesBehindTheNameOrFromTheNextWord)
{
    const std::vector<std::string> given{"--from=a=b", "--to", "c", "--flag", "word=1", "--empty=", "--last"};
    OptionWords words(given);
    ASSERT_TRUE(words.next());
    EXPECT_EQ(words.name(), "--from");
    EXPECT_EQ(words.take_value(), "a=b");
    ASSERT_TRUE(words.next());
    EXPECT_EQ(words.name(), "--to");
    EXPECT_EQ(words.take_value(), "c");
    ASSERT_TRUE(words.next());
    EXPECT_EQ(words.name(), "--flag");
    EXPECT_TRUE(words.expect_no_value());
    ASSERT_TRUE(words.next());
    EXPECT_EQ(words.name(), "word=1");
    ASSERT_TRUE(words.next());
    EXPECT_EQ(words.name(), "--empty");
    EXPECT_EQ(words.expect_no_value().error().text(), "--empty takes no value");
    EXPECT_EQ(words.take_value(), "");
    ASSERT_TRUE(words.next());
    EXPECT_EQ(words.take_value().error().text(), "--last needs a value");
    EXPECT_FALSE(words.next());
}

}  // namespace ekiden::base
