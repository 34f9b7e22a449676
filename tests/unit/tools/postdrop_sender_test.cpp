#include "tools/postdrop_sender.hpp"

#include <gtest/gtest.h>

using ekiden::tools::is_allowed_sender;

TEST(PostdropSender, KnowsThePatterns)
{
    struct Row {
        std::string_view patterns, sender;
        bool is_allowed;
    };
    for (const Row& row : {
             Row{"alice", "alice", true},
             Row{"alice", "Alice", true},
             Row{"alice", "alice+list", true},
             Row{"alice", "alice@example.test", false},
             Row{"alice, team@Example.test", "team@example.TEST", true},
             Row{"team@example.test", "team+x@example.test", true},
             Row{"a+b@example.test", "a+b@example.test", false},    // the sender's extension is not looked at
             Row{"@own.test", "anybody@own.test", true},
             Row{"@own.test", "@own.test", true},
             Row{"@own.test", "anybody@sub.own.test", false},
             Row{"@", "x@", true},
             Row{"@", "x", false},
             Row{"*", "whoever@example.test", true},
             Row{"*", "", true},
             Row{"*x", "x", false},
             Row{"x*", "xyz", false},
             Row{"nil", "", true},
             Row{"nil", "nil", true},
             Row{"<>", "", false},
             Row{"", "alice", false},
             Row{"", "", false},
         }) {
        EXPECT_EQ(is_allowed_sender({row.patterns, "nil", "+"}, row.sender), row.is_allowed)
            << row.patterns << " for " << row.sender;
    }
}
