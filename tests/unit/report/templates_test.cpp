#include "report/templates.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ekiden::report {
namespace {

config::SettingsPtr settings_with(const std::string& lines)
{
    char pattern[] = "/tmp/ekiden_report_XXXXXX";
    const std::string directory = mkdtemp(pattern);
    std::ofstream(directory + "/main.cf") << "compatibility_level = 3.6\nmyhostname = mail.golden.test\n" << lines;
    std::ofstream(directory + "/master.cf") << "";
    config::LoadOptions options;
    options.directory = directory;
    auto settings = config::Settings::load(options);
    std::filesystem::remove_all(directory);
    return settings;
}

TEST(Templates, BuiltInWords)
{
    std::vector<std::string> warnings;
    const auto settings = settings_with("delay_warning_time = 4h\n");
    const Templates t = Templates::standard();
    EXPECT_EQ(expand(t.failure, *settings, warnings),
              "This is the mail system at host mail.golden.test.\n\n"
              "I'm sorry to have to inform you that your message could not\n"
              "be delivered to one or more recipients. It's attached below.\n\n"
              "For further assistance, please send mail to postmaster.\n\n"
              "If you do so, please include this problem report. You can\n"
              "delete your own text from the attached returned message.\n\n"
              "                   The mail system\n");
    const std::string delay = expand(t.delay, *settings, warnings);
    EXPECT_NE(
        delay.find(
            "\nYour message could not be delivered for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.\n"),
        std::string::npos);
    EXPECT_TRUE(warnings.empty());
}

TEST(Templates, ZeroTimesAreTold)
{
    std::vector<std::string> warnings;
    const auto settings = settings_with("delay_warning_time = 1s\n");
    const std::string text = expand(Templates::standard().delay, *settings, warnings);
    EXPECT_NE(text.find("more than 0 hour(s)"), std::string::npos);
    const std::vector<std::string> want = {
        "[built-in]: zero result in delay template conversion of parameter \"delay_warning_time_hours\"",
        "please reduce time unit \"hours\" of \"delay_warning_time_hours\" in delay template",
        "for instructions see the bounce(5) manual"};
    EXPECT_EQ(warnings, want);
}

TEST(Templates, FileReplacesWhatItNames)
{
    const auto parsed = Templates::parse(
        "# comment\n\nfailure_template = <<EOF\nCharset: us-ascii\nFrom: MAILER-DAEMON (Post)\nSubject: Sorry\nPostmaster-Subject: Copy\n\n"
        "Dear sender: $myhostname costs $$5, ${delay_warning_time_minutes}\nEOF\n",
        "bounce.cf", Templates::standard());
    ASSERT_TRUE(parsed) << parsed.error().text();
    EXPECT_EQ(parsed->failure.subject, "Sorry");
    EXPECT_EQ(parsed->failure.from, "MAILER-DAEMON (Post)");
    EXPECT_EQ(parsed->delay.subject, Templates::standard().delay.subject);
    std::vector<std::string> warnings;
    EXPECT_EQ(expand(parsed->failure, *settings_with("delay_warning_time = 2h\n"), warnings),
              "Dear sender: mail.golden.test costs $5, 120\n");
}

TEST(Templates, WrongFiles)
{
    struct {
        const char* text;
        const char* want;
    } rows[] = {
        {"failure_template = <<EOF\nSubject: x\n\ntext\n", "b, line 1: missing \"EOF\" at the end of failure_template"},
        {"nonsense\n", "b, line 1: need \"template_name = <<EOF\": nonsense"},
        {"\nother_template = <<E\nE\n", "b, line 2: unknown template name: other_template"},
        {"failure_template = <<E\nX-Odd: y\n\nt\nE\n", "b, line 1: unknown header: X-Odd: y"},
        {"failure_template = <<E\nSubject: \xc3\xbc\n\nt\nE\n", "b, line 1: non-ASCII header value: Subject: \xc3\xbc"},
        {"failure_template = <<E\nSubject: s\n\n\xc3\xbc\nE\n", "b, line 1: non-ASCII text needs a Charset header"},
        {"failure_template = <<E\nSubject: a\rb\n\nt\nE\n", "b, line 1: control character in header value: Subject: a?b"},
        {"failure_template = <<\n", "b, line 1: missing end mark after <<"},
    };
    for (const auto& row : rows) {
        const auto parsed = Templates::parse(row.text, "b", Templates::standard());
        ASSERT_FALSE(parsed) << row.text;
        EXPECT_EQ(parsed.error().text(), row.want);
    }
}

TEST(Templates, UnreadableFileLeavesBuiltInWords)
{
    std::vector<std::string> problems;
    const Templates t = Templates::load(*settings_with("bounce_template_file = /nonexistent/bounce.cf\n"), problems);
    EXPECT_EQ(problems.size(), 1u);
    EXPECT_EQ(t.failure.text, Templates::standard().failure.text);
}

}  // namespace
}  // namespace ekiden::report
