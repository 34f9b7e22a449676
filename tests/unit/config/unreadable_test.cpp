#include "config/unreadable.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ekiden::config {
namespace {

struct Folder {
    // Each test has its own: they run side by side.
    std::filesystem::path path =
        std::filesystem::path(::testing::TempDir()) / ("unreadable_test." + std::to_string(::getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    Unreadable find(const std::string& main_cf, const std::string& master_cf) const
    {
        std::ofstream(path / "main.cf") << "compatibility_level = 3.6\nmyhostname = mail.x.test\n" << main_cf;
        std::ofstream(path / "master.cf") << master_cf;
        LoadOptions options;
        options.directory = path.string();
        return find_unreadable(options);
    }
};

TEST(Unreadable, EverythingThatCannotBeReadIsNamedAndTheRestIsStillLookedAt)
{
    const Folder folder;
    const auto found =
        folder.find("disable_vrfy_command = maybe\nsmtpd_timeout = 5x\ndefault_process_limit = 0\nmynetworks = ${a?{b\n"
                    "relay_destination_concurrency_limit = -\nrelayhost = [x.test]\n",
                    "smtp inet n - n - - smtpd\n  -o smtpd_client_connection_count_limit=some -o smtpd_delay_reject=1\n"
                    "relay unix - - n - - smtp\n");
    struct Row {
        const char *file, *text, *advice;
        int line;
    };
    const Row rows[] = {
        {"main.cf", "bad boolean configuration: disable_vrfy_command = maybe", "write yes or no", 3},
        {"main.cf", "parameter smtpd_timeout: bad time value or unit: 5x",
         "write a number and s, m, h, d or w, such as 30s, at least 1s", 4},
        {"main.cf", "invalid default_process_limit parameter value 0 < 1", "write a whole number, at least 1", 5},
        {"main.cf", "parameter mynetworks: truncated macro reference: \"${a?{b\"", "", 6},
        {"main.cf", "bad numerical configuration: relay_destination_concurrency_limit = -", "write a whole number", 7},
        {"master.cf", "bad numerical configuration: smtpd_client_connection_count_limit = some: write a whole number", "write a whole number", 2},
        {"master.cf", "bad boolean configuration: smtpd_delay_reject = 1: write yes or no", "write yes or no", 2},
    };
    ASSERT_EQ(found.problems.size(), std::size(rows));
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        const Problem& problem = found.problems[i];
        EXPECT_EQ(problem.level, Problem::Level::fatal);
        EXPECT_TRUE(problem.at.file.ends_with(rows[i].file)) << problem.at.file;
        EXPECT_EQ(problem.at.line, rows[i].line) << problem.text;
        EXPECT_TRUE(problem.text.ends_with(rows[i].text)) << problem.text;
        EXPECT_EQ(problem.advice, rows[i].advice);
    }
    ASSERT_NE(found.rest, nullptr);
    EXPECT_EQ(found.rest->str("relayhost"), "[x.test]");
    EXPECT_FALSE(found.rest->boolean("disable_vrfy_command"));
    for (const auto& service : found.rest->services()) EXPECT_NO_THROW((void)found.rest->for_service(service));
}

TEST(Unreadable, ATextThatBecamePartOfAValueIsTheAdvice)
{
    const Folder folder;
    auto found =
        folder.find("smtpd_timeout = 5m  # five\ndisable_vrfy_command = yes\n\tmydomain = a.test\nbiff = #no\n", "");
    ASSERT_EQ(found.problems.size(), 3u);
    EXPECT_EQ(found.problems[0].advice, "a comment must have a line of its own");
    EXPECT_EQ(found.problems[1].advice,
              "\"mydomain = \u2026\" and what follows became part of it: move it to the start of a line");
    EXPECT_EQ(found.problems[2].advice, "a comment must have a line of its own");

    // Defaults that ask for the level are not at fault.
    found = folder.find("compatibility_level = 3.6\n\tmydomain = a.test\n", "");
    ASSERT_EQ(found.problems.size(), 1u);
    EXPECT_TRUE(found.problems[0].text.starts_with("malformed compatibility level syntax: \"3.6\tmydomain"))
        << found.problems[0].text;
    EXPECT_EQ(found.problems[0].at.line, 3);
    EXPECT_EQ(found.problems[0].advice,
              "\"mydomain = \u2026\" and what follows became part of it: move it to the start of a line");
}

TEST(Unreadable, LinesOfMasterCfAreNamedOneByOne)
{
    const Folder folder;
    const auto found =
        folder.find("", "# first\nsmtp inet n - n\nrelay nosuch - - n - - smtp\n\nlmtp unix - - n - - lmtp\n");
    ASSERT_EQ(found.problems.size(), 2u);
    EXPECT_TRUE(found.problems[0].text.ends_with("master.cf: line 2: bad field count")) << found.problems[0].text;
    EXPECT_TRUE(found.problems[1].text.ends_with("master.cf: line 3: bad transport type: nosuch"));
    ASSERT_NE(found.rest, nullptr);
    ASSERT_EQ(found.rest->services().size(), 1u);
    EXPECT_EQ(found.rest->services()[0].name, "lmtp");
    EXPECT_EQ(found.rest->services()[0].line, 5);
}

TEST(Unreadable, BlanksThatSplitAnEntryOfMasterCfAreToldHowToWriteIt)
{
    struct Row {
        const char *arguments, *fault, *advice;
    };
    const std::string column = "write a blank in front of -o, else it is a service of its own and no part of the one above";
    const Row rows[] = {
        {"  -o smtpd_tls_security_level = encrypt -o biff=no\n", "line 1: missing '=' after attribute name: \"smtpd_tls_security_level\"",
         "in line 2 write -o smtpd_tls_security_level=encrypt or -o { smtpd_tls_security_level = encrypt }"},
        {"\t-o biff=no\n\t-osmtpd_client_restrictions =permit_mynetworks, reject\n",
         "line 1: missing '=' after attribute name: \"smtpd_client_restrictions\"",
         "in line 3 write -o { smtpd_client_restrictions = permit_mynetworks, reject }"},
        {"  -o smtpd_helo_required\n", "line 1: missing '=' after attribute name: \"smtpd_helo_required\"",
         "in line 2 write -o smtpd_helo_required=VALUE, without blanks"},
        {"  -o smtpd_helo_required =\n", "line 1: missing '=' after attribute name: \"smtpd_helo_required\"",
         "in line 2 write -o smtpd_helo_required=, without blanks"},
        {"  -o { biff no }\n", "line 1: missing '=' after attribute name: \"biff no\"", ""},
        {"-o smtpd_helo_required=yes\n", "line 2: bad field count", column.c_str()},
        {"-o a=b -o c=d -o e=f -o g=h\n", "line 2: bad transport type: a=b", column.c_str()},
        {"587 inet n - n -\n", "line 2: bad field count", ""},
    };
    const Folder folder;
    for (const Row& row : rows) {
        const auto found = folder.find("", "smtp inet n - n - - smtpd\n" + std::string(row.arguments));
        ASSERT_EQ(found.problems.size(), 1u) << row.arguments;
        const Problem& problem = found.problems.front();
        const std::string advice(row.advice);
        EXPECT_TRUE(problem.text.ends_with(row.fault + (advice.empty() ? "" : ": " + advice))) << problem.text;
        EXPECT_EQ(problem.advice, advice);
    }
}

TEST(Unreadable, LinesThatCanBeReadAreLookedAtBesideThoseThatCannot)
{
    const Folder folder;
    const auto found = folder.find("", "smtp inet n - n\n587 inet n - n - - smtpd\n  -o smtpd_helo_required=yes\n# x\n"
                                       "  -o smtpd_delay_reject=perhaps\n");
    ASSERT_EQ(found.problems.size(), 2u);
    EXPECT_TRUE(found.problems[1].text.ends_with(
        "master.cf: line 5: bad boolean configuration: smtpd_delay_reject = perhaps: write yes or no"))
        << found.problems[1].text;
}

TEST(Unreadable, NothingIsFoundWhereAllIsWell)
{
    const Folder folder;
    const auto found = folder.find("", "smtp inet n - n - - smtpd\n");
    EXPECT_TRUE(found.problems.empty());
    EXPECT_NE(found.rest, nullptr);
}

} // namespace
} // namespace ekiden::config
