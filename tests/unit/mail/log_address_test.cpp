#include "mail/log_address.hpp"

#include <gtest/gtest.h>

namespace ekiden::mail {

TEST(LogAddress, HasTheFormThatWasChosen)
{
    EXPECT_EQ(log_address("a b@example.test"), "\"a b\"@example.test");
    use_log_address_form(true);
    EXPECT_EQ(log_address("a b@example.test"), "a b@example.test");
    EXPECT_EQ(log_address(""), "");
    use_log_address_form(false);
    EXPECT_EQ(log_address("a b@example.test"), "\"a b\"@example.test");
}

}  // namespace ekiden::mail
