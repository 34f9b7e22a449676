#include "queue/text_content.hpp"

#include <gtest/gtest.h>

namespace ekiden::queue {
namespace {

TEST(text_content, is_handed_out_once_to_each_reader)
{
    for (const std::string text : {"", "a\n"}) {
        const auto content = text_content(text);
        ASSERT_TRUE(content);
        EXPECT_EQ(content->size(), text.size());
        EXPECT_EQ(content->in_memory(), text);
        for (int i = 0; i < 2; ++i) {
            const auto reader = content->open();
            EXPECT_EQ(*reader->next_now(), text);
            EXPECT_EQ(*reader->next_now(), "");
        }
    }
}

}  // namespace
}  // namespace ekiden::queue
