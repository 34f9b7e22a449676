#include "base/nearest.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ekiden::base {

TEST(Nearest, NamesWhatTakesTheFewestEditsAndNotTooMany)
{
    constexpr std::array<std::string_view, 4> words{"smtp", "lmtp", "local", "Virtual"};
    struct Case {
        std::string_view word;
        int most;
        std::string_view nearest;
    };
    for (const Case& c : {Case{"smpt", 2, "smtp"}, {"smt", 1, "smtp"}, {"xmtp", 1, "smtp"}, {"LOCAL", 0, "local"},
                          {"virtul", 2, "Virtual"}, {"virtul", 0, ""}, {"relay", 2, ""}, {"", 2, ""}})
        EXPECT_EQ(nearest(c.word, words, c.most), c.nearest) << c.word;
}

}  // namespace ekiden::base
