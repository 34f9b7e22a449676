#include "config/checks.hpp"
#include "config/settings.hpp"
#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

namespace ekiden::config {
namespace {

using test::Folder;
using namespace std::chrono_literals;

constexpr std::string_view basis =
    "compatibility_level = 3.6\nmyhostname = mail.golden.test\ninet_interfaces = loopback-only\n";

std::string complaint(std::string_view lines, Checks checks = Checks::server)
{
    Folder folder(std::string(basis) + std::string(lines));
    try {
        Settings::load(folder.options(checks));
    } catch (const ConfigError& error) {
        std::string text = error.what();
        for (auto at = text.find(folder.path()); at != std::string::npos; at = text.find(folder.path()))
            text.replace(at, folder.path().size(), "DIR");
        return text;
    }
    return "";
}

TEST(Settings, types_and_expansion)
{
    Folder folder(std::string(basis) +
                  "mydestination = $myhostname, localhost.$mydomain,\n  # comment\n\n  localhost\n"
                  "maximal_queue_lifetime = 3\nsmtpd_timeout = 2m\nmessage_size_limit = 5000000000\n"
                  "disable_vrfy_command = YES\nmynetworks = 127.0.0.0/8, { 10.0.0.0/8 x }\n");
    const auto settings = Settings::load(folder.options());
    EXPECT_EQ(settings->str("mydestination"), "mail.golden.test, localhost.golden.test,  localhost");
    EXPECT_EQ(settings->list("mydestination"),
              (std::vector<std::string>{"mail.golden.test", "localhost.golden.test", "localhost"}));
    EXPECT_EQ(settings->list("mynetworks"), (std::vector<std::string>{"127.0.0.0/8", "{ 10.0.0.0/8 x }"}));
    EXPECT_EQ(settings->time("maximal_queue_lifetime"), 3 * 24h) << "the unit of the default holds";
    EXPECT_EQ(settings->time("smtpd_timeout"), 120s);
    EXPECT_EQ(settings->time("bounce_queue_lifetime"), 5 * 24h);
    EXPECT_EQ(settings->integer("message_size_limit"), 5000000000);
    EXPECT_EQ(settings->integer("smtpd_soft_error_limit"), 10);
    EXPECT_TRUE(settings->boolean("disable_vrfy_command"));
    EXPECT_FALSE(settings->boolean("append_dot_mydomain"));
    EXPECT_EQ(settings->str("relay_domains"), "");
    EXPECT_EQ(settings->str("smtpd_banner"), "mail.golden.test ESMTP Postfix");
    EXPECT_EQ(settings->str("default_rbl_reply").substr(0, 10), "$rbl_code ") << "expanded where it is used";
    EXPECT_EQ(settings->location("smtpd_timeout").line, 9);
    EXPECT_TRUE(settings->is_set("smtpd_timeout"));
    EXPECT_FALSE(settings->is_set("smtpd_banner"));
    EXPECT_THROW(settings->str("no_such_name"), ConfigError);
    EXPECT_EQ(settings->compatibility_level(), 3);
    EXPECT_TRUE(settings->compatibility_level_is_at_least(3, 6));
    EXPECT_FALSE(settings->compatibility_level_is_at_least(3, 10));
}

TEST(Settings, transports_fall_back_to_the_general_parameter)
{
    Folder folder(std::string(basis) + "default_destination_concurrency_limit = 7\nslow_destination_rate_delay = 2s\n"
                                       "slow_destination_concurrency_limit = 1\n");
    const auto settings = Settings::load(folder.options());
    EXPECT_EQ(settings->transport_integer("relay", "destination_concurrency_limit"), 7);
    EXPECT_EQ(settings->transport_integer("slow", "destination_concurrency_limit"), 1);
    EXPECT_EQ(settings->transport_integer("local", "destination_concurrency_limit"), 2);
    EXPECT_EQ(settings->transport_integer("relay", "initial_destination_concurrency"), 5);
    EXPECT_EQ(settings->transport_time("slow", "destination_rate_delay"), 2s);
    EXPECT_EQ(settings->transport_time("fast", "destination_rate_delay"), 0s);
    EXPECT_EQ(settings->transport_time("mypipe", "time_limit"), 1000s);
    EXPECT_THROW(settings->transport_integer("relay", "no_such_suffix"), ConfigError);
}

TEST(Settings, service_overrides)
{
    Folder folder(std::string(basis) + "mine = reject\n",
                  "submission inet n - n - 5 smtpd\n  -o syslog_name=postfix/$service_name -v\n"
                  "  -o { smtpd_client_restrictions = permit_mynetworks, $mine }\n"
                  "bad inet n - n - - smtpd -o smtpd_timeout=5x\n");
    const auto settings = Settings::load(folder.options());
    ASSERT_EQ(settings->services().size(), 2u);
    const auto submission = settings->for_service(settings->services()[0]);
    EXPECT_EQ(submission->str("syslog_name"), "postfix/submission");
    EXPECT_EQ(submission->str("smtpd_client_restrictions"), "permit_mynetworks, reject");
    EXPECT_EQ(submission->str("process_name"), "smtpd");
    EXPECT_EQ(settings->str("syslog_name"), "postfix");
    EXPECT_EQ(settings->services()[0].process_limit(100), 5);
    EXPECT_EQ(settings->services()[0].verbosity, 1);
    try {
        settings->for_service(settings->services()[1]);
        FAIL() << "smtpd_timeout=5x was accepted";
    } catch (const ConfigError& error) {
        EXPECT_EQ(std::string(error.what()),
                  folder.path() + "/master.cf: line 4: parameter smtpd_timeout: bad time value or unit: 5x");
    }
}

TEST(Settings, lets_alone_what_belongs_to_an_agent_without_mail)
{
    const std::string main_cf = "compatibility_level = 3.6\nmyhostname = mail.a.test\nvirtual_mailbox_base =\n";
    const std::string agents = "virtual unix - n n - - virtual\ndovecot unix - n n - - pipe\n";
    Folder other(main_cf + "virtual_transport = dovecot:nexthop\n", agents);
    EXPECT_NO_THROW(Settings::load(other.options()));
    Folder own(main_cf, agents);
    EXPECT_THROW(Settings::load(own.options()), ConfigError);
    Folder nobody(main_cf + "virtual_transport = nosuch\n", agents);
    EXPECT_THROW(Settings::load(nobody.options()), ConfigError);
}

TEST(Settings, refuses_with_the_words_of_postfix)
{
    struct Case {
        std::string_view lines, server, command;
    };
    const Case cases[] = {
        {"disable_vrfy_command = maybe", "bad boolean configuration: disable_vrfy_command = maybe", ""},
        {"smtpd_timeout = 5x", "parameter smtpd_timeout: bad time value or unit: 5x", ""},
        {"message_size_limit = 5000000 # five MB",
         "bad numerical configuration: message_size_limit = 5000000 # five MB",
         "bad numerical configuration: message_size_limit = 5000000 # five MB"},
        {"application_event_drain_time = 0s", "invalid application_event_drain_time: 0 (min 1)",
         "invalid application_event_drain_time: 0 (min 1)"},
        {"line_length_limit = 010", "invalid line_length_limit parameter value 10 < 512",
         "invalid line_length_limit parameter value 10 < 512"},
        {"delay_logging_resolution_limit = 9", "invalid delay_logging_resolution_limit parameter value 9 > 6",
         "invalid delay_logging_resolution_limit parameter value 9 > 6"},
        {"queue_directory =", "bad string length 0 < 1: queue_directory = ",
         "bad string length 0 < 1: queue_directory = "},
        {"myorigin = a, b", "myorigin parameter setting must not contain multiple values: a, b",
         "myorigin parameter setting must not contain multiple values: a, b"},
        {"myhostname = -foo.x", "file DIR/main.cf: parameter myhostname: bad parameter value: -foo.x",
         "file DIR/main.cf: parameter myhostname: bad parameter value: -foo.x"},
        {"mydomain = \xe3\x83\x89\t# name",
         "file DIR/main.cf: parameter mydomain: bad parameter value: \xe3\x83\x89\t# name",
         "file DIR/main.cf: parameter mydomain: bad parameter value: \xe3\x83\x89\t# name"},
        {"inet_protocols = foo", "unknown inet_protocols value \"foo\" in \"foo\"",
         "unknown inet_protocols value \"foo\" in \"foo\""},
        {"mynetworks = 10.0.0.0/8\nmynetworks_style = host # mine", "", ""},
        {"mynetworks_style = foo", "unknown mynetworks mask style value \"foo\" in \"foo\"",
         "unknown mynetworks mask style value \"foo\" in \"foo\""},
        {"syslog_facility = foo", "file DIR/main.cf: parameter syslog_facility: unrecognized value: foo",
         "file DIR/main.cf: parameter syslog_facility: unrecognized value: foo"},
        {"compatibility_level = abc", "malformed compatibility level syntax: \"abc\"",
         "malformed compatibility level syntax: \"abc\""},
        {"relayhost:127.0.0.25", "DIR/main.cf, line 4: missing '=' after attribute name: \"relayhost:127.0.0.25\"",
         "DIR/main.cf, line 4: missing '=' after attribute name: \"relayhost:127.0.0.25\""},
        {"= x", "DIR/main.cf, line 4: missing attribute name: \"= x\"",
         "DIR/main.cf, line 4: missing attribute name: \"= x\""},
        {"relay_destination_concurrency_limit = many",
         "bad numerical configuration: relay_destination_concurrency_limit = many", ""},
    };
    for (const auto& row : cases) {
        EXPECT_EQ(complaint(row.lines), row.server) << row.lines;
        EXPECT_EQ(complaint(row.lines, Checks::command), row.command) << row.lines;
    }
    Folder odd("message_size_limit = x\nrelayhost = ${a\n");
    const auto shown = Settings::load(odd.options(Checks::none));
    EXPECT_EQ(shown->raw("message_size_limit"), "x");
    EXPECT_THROW(shown->integer("message_size_limit"), ConfigError) << "postconf shows it; nobody can use it";
}

TEST(Settings, warns_of_entries_that_replace_others)
{
    Folder folder(std::string(basis) + "relayhost = [127.0.0.25]\nrelayhost = [127.0.0.26]\n");
    const auto settings = Settings::load(folder.options());
    ASSERT_EQ(settings->problems().size(), 1u);
    EXPECT_EQ(settings->problems()[0].text,
              folder.path() + "/main.cf, line 5: overriding earlier entry: relayhost=[127.0.0.25]");
    EXPECT_EQ(settings->str("relayhost"), "[127.0.0.26]");
}

TEST(Settings, names_of_the_host_fill_each_other_in)
{
    Folder folder("myhostname = a.b.c\n");
    EXPECT_EQ(Settings::load(folder.options())->str("mydomain"), "b.c");
    EXPECT_TRUE(Settings::load(Folder("mydomain = z.z\n").options())->str("myhostname").ends_with("z.z"));
    EXPECT_EQ(Settings::load(Folder("myhostname = short\n").options())->str("mydomain"), "localdomain");
}

TEST(Settings, missing_file)
{
    Folder folder("");
    LoadOptions options;
    options.directory = folder.path() + "/none";
    try {
        Settings::load(options);
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_EQ(std::string(error.what()), "open " + folder.path() + "/none/main.cf: No such file or directory");
    }
}

// Debian: "myorigin = /etc/mailname" names a file.
TEST(Settings, OriginMayBeAFile)
{
    Folder folder(
        "myhostname = mail.a.test\nmyorigin = ${config_directory}/mailname\nempty_address_recipient = $myorigin\n");
    folder.write("mailname", " a.test \nb.test\n");
    const auto settings = Settings::load(folder.options());
    EXPECT_EQ(settings->str("myorigin"), "a.test");
    EXPECT_EQ(settings->str("empty_address_recipient"), folder.path() + "/mailname");
    EXPECT_EQ(Settings::load(folder.options(Checks::none))->str("myorigin"), folder.path() + "/mailname");
    folder.write("mailname", "\n");
    EXPECT_THROW(Settings::load(folder.options()), ConfigError);
    std::filesystem::remove(folder.path() + "/mailname");
    try {
        Settings::load(folder.options());
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_EQ(std::string(error.what()), "myorigin = " + folder.path() + "/mailname: open " + folder.path() +
                                                 "/mailname: No such file or directory");
        EXPECT_EQ(error.location.line, 2);
    }
}

}  // namespace
}  // namespace ekiden::config
