#include "mail/verp.hpp"

#include <gtest/gtest.h>

namespace ekiden::mail {
namespace {

TEST(Verp, names_the_recipient_in_the_sender)
{
    struct Case {
        const char *delimiters, *sender, *recipient, *want;
    };
    const Case rows[] = {
        {"+=", "owner-list@origin.test", "user@domain.test", "owner-list+user=domain.test@origin.test"},
        {"-=", "list-@origin.test", "a.b@x.test", "list--a.b=x.test@origin.test"},
        {"+=", "owner@origin.test", "user1", "owner+user1@origin.test"},
        {"+=", "owner", "user@x.test", "owner+user=x.test"},
        {"+=", "owner@o.test", "odd@name@x.test", "owner+odd@name=x.test@o.test"},
        {"+=", "", "user@x.test", ""},
        {"", "owner@o.test", "user@x.test", "owner@o.test"},
    };
    for (const Case& row : rows)
        EXPECT_EQ(verp_sender(row.delimiters, row.sender, row.recipient), row.want) << row.recipient;
}

TEST(Verp, delimiters_are_two_that_are_allowed)
{
    for (const char* good : {"+=", "-=", "==", "=+"}) EXPECT_TRUE(are_verp_delimiters(good, "-=+")) << good;
    for (const char* bad : {"", "+", "+==", "ab", "+@", "%="}) EXPECT_FALSE(are_verp_delimiters(bad, "-=+")) << bad;
}

}  // namespace
}  // namespace ekiden::mail
