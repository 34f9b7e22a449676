#include "deliver/status_filter.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver {

struct FilterCase {
    const char *code, *text, *answer, *new_code, *new_text;   // new_code null: ignored
};

class StatusFilter : public testing::TestWithParam<FilterCase> {};

TEST_P(StatusFilter, ReplacesWhatItMay)
{
    const FilterCase& c = GetParam();
    auto got = filtered_status({c.code, c.text}, c.answer);
    ASSERT_EQ(got.has_value(), c.new_code != nullptr);
    if (!got) return;
    EXPECT_EQ(got->code, c.new_code);
    EXPECT_EQ(got->text, c.new_text);
}

INSTANTIATE_TEST_SUITE_P(Answers, StatusFilter, testing::Values(
    FilterCase{"5.1.1", "unknown user", "4.1.1 not yet", "4.1.1", "not yet"},
    FilterCase{"4.3.0", "later", "5.3.0  never  ", "5.3.0", "never"},
    FilterCase{"2.0.0", "sent", "2.1.0 delivered", "2.1.0", "delivered"},
    FilterCase{"2.0.0", "sent", "5.0.0 no", nullptr, nullptr},
    FilterCase{"5.0.0", "no", "2.0.0 yes", nullptr, nullptr},
    FilterCase{"5.0.0", "no", "rubbish", nullptr, nullptr},
    FilterCase{"5.0.0", "no", "4.0.0", nullptr, nullptr},
    FilterCase{"5.0.0", "no", "4.0.0x text", nullptr, nullptr},
    FilterCase{"5.0.0", "no", "", nullptr, nullptr}));

}  // namespace ekiden::deliver
