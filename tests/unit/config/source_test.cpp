#include "config/source.hpp"

#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

namespace ekiden::config {
namespace {

TEST(Source, FindsTheLineAWordStandsOn)
{
    const test::Folder folder(
        "permit = permit\nlist = permit_mynetworks,\n# permit\n\n  permit, hash:/a permit\n\tlast\nlist2 = last\n",
        "25 inet n - n - - smtpd\n -o list=permit\n\n  reject\n587 inet n - n - - smtpd\n");
    Source source;
    const std::string main = folder.path() + "/main.cf", master = folder.path() + "/master.cf";
    struct {
        Location start;
        std::string_view word;
        int nth, want;
    } rows[] = {
        {{main, 1}, "permit", 0, 1},      // the value, not the name
        {{main, 1}, "permit", 1, 1},      // not there twice: where the entry begins
        {{main, 2}, "permit", 0, 5},      // permit_mynetworks is another word, and a comment is none
        {{main, 2}, "permit", 1, 5},
        {{main, 2}, "permit", 2, 2},
        {{main, 2}, "hash:/a", 0, 5},
        {{main, 2}, "last", 0, 6},
        {{main, 2}, "nowhere", 0, 2},
        {{main, 7}, "last", 0, 7},
        {{main, 0}, "permit", 0, 0},      // a default stands nowhere
        {{main, 99}, "permit", 0, 99},
        {{master, 1}, "permit", 0, 2},
        {{master, 1}, "reject", 0, 4},
        {{master, 5}, "reject", 0, 5},
        {{folder.path() + "/none", 3}, "x", 0, 3},
    };
    for (const auto& row : rows) {
        const Location found = source.find(row.start, row.word, row.nth);
        EXPECT_EQ(found.line, row.want) << row.start.file << ":" << row.start.line << " " << row.word << " " << row.nth;
        EXPECT_EQ(found.file, row.start.file);
    }
}

}  // namespace
}  // namespace ekiden::config
