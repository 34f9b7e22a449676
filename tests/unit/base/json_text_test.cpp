#include "base/json_text.hpp"

#include <gtest/gtest.h>

namespace ekiden::base {

TEST(JsonText, IsAlwaysJson)
{
    struct Row {
        std::string_view bytes, json;
    };
    using namespace std::string_view_literals;
    for (const auto& [bytes, json] :
         {Row{"", "\"\""},
          {"a \"b\" \\", R"("a \"b\" \\")"},
          {"\n\0\x7f"sv, R"("\u000a\u0000\u007f")"},
          {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
          {"\xff\xc0\xaf\xed\xa0\x80", R"("\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd")"},
          {"x\xe2\x82", R"("x\ufffd\ufffd")"}}) {
        EXPECT_EQ(json_text(bytes), json);
    }
}

}  // namespace ekiden::base
