#include "mime/encoded_word.hpp"

#include <gtest/gtest.h>

namespace ekiden::mime {

TEST(EncodedWord, LeavesAsciiAlone)
{
    for (const char* text : {"", "Alice Example", "O'Neill, \"Jo\" (x)", "=?no?="}) EXPECT_EQ(encode_words(text), text);
}

TEST(EncodedWord, Encodes)
{
    EXPECT_EQ(encode_words("Jürgen Müller"), "=?utf-8?Q?J=C3=BCrgen_M=C3=BCller?=");
    EXPECT_EQ(encode_words("ü?=_\"(", "utf-8"), "=?utf-8?Q?=C3=BC=3F=3D=5F=22=28?=");
    EXPECT_EQ(encode_words("\xfc", "iso-8859-1"), "=?iso-8859-1?Q?=FC?=");
    EXPECT_EQ(encode_words("ü", "evil?=\n"), "=?utf-8?Q?=C3=BC?=");
    EXPECT_EQ(encode_words("a\nb"), "=?utf-8?Q?a=0Ab?=");
}

TEST(EncodedWord, WordsAreShortAndWhole)
{
    std::string text, joined;
    for (int i = 0; i < 40; ++i) text += "ü€";
    std::string words = encode_words(text);
    for (std::size_t begin = 0; begin < words.size();) {
        const std::size_t end = std::min(words.find(' ', begin), words.size());
        const std::string word = words.substr(begin, end - begin);
        EXPECT_LE(word.size(), 75u);
        EXPECT_TRUE(word.starts_with("=?utf-8?Q?=C3=BC") || word.starts_with("=?utf-8?Q?=E2=82=AC")) << word;
        EXPECT_TRUE(word.ends_with("?="));
        joined += word.substr(10, word.size() - 12);
        begin = end + 1;
    }
    EXPECT_EQ(joined.size(), text.size() * 3);
}

}  // namespace ekiden::mime
