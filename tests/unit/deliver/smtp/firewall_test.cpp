#include "deliver/smtp/firewall.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver::smtp {

TEST(Firewall, IsKnownByItsGreeting)
{
    struct Row {
        int code;
        const char* text;
        bool is_one;
    };
    for (const Row& row : {Row{220, "**************2*******0*****2*********0*00", true}, Row{220, "*", true},
                           Row{220, "", true}, Row{220, "2002", true}, Row{220, "** ** 02", true},
                           Row{220, "far.test ****", false}, Row{220, "******** ready", false},
                           Row{220, "*** ESMTP", false}, Row{221, "****", false}}) {
        EXPECT_EQ(hides_greeting(ekiden::smtp::Reply(row.code, row.text)), row.is_one) << row.code << row.text;
    }
    ekiden::smtp::Reply two_lines(220, "****");
    two_lines.lines.push_back("****");
    EXPECT_FALSE(hides_greeting(two_lines));
}

TEST(Firewall, WorkaroundsHaveNames)
{
    for (const auto& [text, want] : {std::pair("disable_esmtp, delay_dotcrlf", "disable_esmtp delay_dotcrlf"),
                                     std::pair("DELAY_DOTCRLF", "delay_dotcrlf"), std::pair("delay_dot", ""),
                                     std::pair("", "")}) {
        EXPECT_EQ(text_of(parse_workarounds(text)), want);
    }
    EXPECT_FALSE(parse_workarounds("none").has_any());
}

}  // namespace ekiden::deliver::smtp
