#include "control/request.hpp"

#include <gtest/gtest.h>

namespace ekiden::control {

TEST(Request, RoundTripsAnyWord)
{
    std::vector<std::string> words{"flush-site", "exa mple.org", "", "100%", std::string("a\0b\n", 4), "übung"};
    std::string line = format_request(words);
    ASSERT_EQ(line.back(), '\n');
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    auto parsed = parse_request(std::string_view(line).substr(0, line.size() - 1));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, words);
}

TEST(Request, RefusesWhatIsNotARequest)
{
    for (const char* line : {"", "   ", "list %", "a%4", "a%zz", "%%"}) {
        auto parsed = parse_request(line);
        if (std::string_view(line) == "list %") EXPECT_TRUE(parsed && parsed->at(1).empty()) << line;
        else EXPECT_FALSE(parsed) << line;
    }
    EXPECT_FALSE(parse_request(std::string(max_request + 1, 'x')));
}

}  // namespace ekiden::control
