#include "check/restriction.hpp"
#include "config/restriction_names.hpp"

#include <gtest/gtest.h>

namespace ekiden::check {
namespace {

// `postfix check` looks names up in config's table, and the server in ours: a name in one of them only would be refused by the
// one and done by the other.
TEST(Catalogue, AgreesWithTheNamesThatLintKnows)
{
    for (const Row& row : rows()) {
        const auto* known = config::find_restriction(row.name);
        ASSERT_NE(known, nullptr) << row.name;
        EXPECT_EQ(known->has_argument, row.argument != Argument::none) << row.name;
        EXPECT_EQ(!known->advice.empty(), row.support == Support::obsolete) << row.name;
    }
}

}  // namespace
}  // namespace ekiden::check
