#include "dns/filtered.hpp"

#include "support/run_task.hpp"

#include <gtest/gtest.h>

namespace ekiden::dns {
namespace {

using Said = Result<std::optional<std::string>>;

// Knows lines, and what to say of them; "?" is no answer.
struct Table {
    std::map<std::string, std::string> rows;
    std::vector<std::string> asked;

    Task<Said> find(std::string line)
    {
        asked.push_back(line);
        const auto at = rows.find(line);
        if (at == rows.end()) co_return std::nullopt;
        if (at->second == "?") co_return fail(ErrorCode::unavailable, "no answer");
        co_return at->second;
    }
};

struct Filtered : testing::Test {
    FakeResolver inner;
    Table table;
    FilteredResolver resolver{inner, "smtp_dns_reply_filter", [this](std::string line) { return table.find(line); },
                              Logger("postfix/smtp")};

    Filtered()
    {
        inner.add("both.test", {Type::mx, "mx1.test", {}, {}, 10});
        inner.add("both.test", {Type::mx, "mx2.test.", {}, {}, 20});
        inner.add("mx1.test", {Type::a, "", *net::parse_address("192.0.2.1")});
        inner.add("mx1.test", {Type::txt, "", {}, "some words"});
        inner.fail("lame.test", Type::a);
    }
    Result<Answer> ask(std::string name, Type type) { return test::run_task(resolver.query_dns(name, type)); }
};

TEST_F(Filtered, AsksInThisForm)
{
    (void)ask("both.test", Type::mx);
    (void)ask("mx1.test", Type::txt);
    EXPECT_EQ(table.asked, (std::vector<std::string>{"both.test. 300 IN MX 10 mx1.test.",
                                                     "both.test. 300 IN MX 20 mx2.test.",
                                                     "mx1.test. 300 IN TXT some words"}));
    Record address{Type::aaaa, "", *net::parse_address("2001:db8::1")};
    EXPECT_EQ(line_of("x.test.", 5, address), "x.test. 5 IN AAAA 2001:db8::1");
}

TEST_F(Filtered, LeavesOut)
{
    table.rows["both.test. 300 IN MX 10 mx1.test."] = "ignore";
    const auto answer = ask("both.test", Type::mx);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->records.size(), 1u);
    EXPECT_EQ(answer->records[0].preference, 20);
}

TEST_F(Filtered, NothingLeftIsTrouble)
{
    table.rows["mx1.test. 300 IN A 192.0.2.1"] = "IGNORE";
    const auto answer = ask("mx1.test", Type::a);
    ASSERT_FALSE(answer);
    EXPECT_TRUE(is_all_filtered(answer.error()));
    EXPECT_EQ(answer.error().text(), "Error looking up name=mx1.test type=A: DNS reply filter drops all results");
    // What may come from a file of hosts is not looked at.
    EXPECT_TRUE(test::run_task(resolver.query("mx1.test", Type::a)));
}

TEST_F(Filtered, OtherWordsAndNoAnswerAreTrouble)
{
    for (const char* word : {"REJECT", "?"}) {
        table.rows["mx1.test. 300 IN A 192.0.2.1"] = word;
        const auto answer = ask("mx1.test", Type::a);
        ASSERT_FALSE(answer);
        EXPECT_FALSE(is_all_filtered(answer.error()));
        EXPECT_EQ(answer.error().text(), "Error looking up name=mx1.test type=A: Invalid DNS reply filter syntax");
    }
}

TEST_F(Filtered, AbsenceAndTroubleStayWhatTheyAre)
{
    EXPECT_EQ(ask("nobody.test", Type::a)->absence, Absence::no_such_name);
    EXPECT_FALSE(ask("lame.test", Type::a));
    EXPECT_TRUE(table.asked.empty());
}

}  // namespace
}  // namespace ekiden::dns
