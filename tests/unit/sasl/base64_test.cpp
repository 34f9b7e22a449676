#include "sasl/base64.hpp"

#include <gtest/gtest.h>

namespace ekiden::sasl {

TEST(Base64, WritesAndReadsTheSame)
{
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        const std::string text = encode_base64(bytes);
        EXPECT_EQ(text.size() % 4, 0U);
        const auto back = decode_base64(text);
        ASSERT_TRUE(back) << text;
        EXPECT_EQ(back->view(), bytes);
        bytes += static_cast<char>(i * 7);
    }
}

TEST(Base64, KnowsTheExamplesOfTheStandard)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"},
    };
    for (const auto& [bytes, text] : cases) {
        EXPECT_EQ(encode_base64(bytes), text);
        EXPECT_EQ(decode_base64(text)->view(), bytes);
    }
}

TEST(Base64, RefusesWhatIsNotWhole)
{
    for (const std::string_view text : {"A", "AA", "AAA", "====", "A===", "AA=A", "=AAA", "AA==AAAA", "AAA\n", " AAA",
                                        "AA-_", "AAAAA===", "####", "\x80\x80\x80\x80"}) {
        EXPECT_FALSE(decode_base64(text)) << text;
    }
    EXPECT_FALSE(decode_base64(std::string_view("AA\0A", 4)));
}

}  // namespace ekiden::sasl
