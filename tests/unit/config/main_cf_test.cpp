#include "config/main_cf.hpp"
#include "config/parameters.hpp"
#include "config/values.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ekiden::config {
namespace {

TEST(MainCf, logical_lines)
{
    const auto file =
        parse_main_cf("\n# c\nfoo = 1\n  2\n# x\n\n 3\nfoo = 4\nbar = 5\nbar = 5\n{x=y\nz =\n", "main.cf");
    std::vector<std::string> got;
    for (const auto& entry : file.entries)
        got.push_back(entry.name + "|" + entry.value + "|" + std::to_string(entry.line));
    EXPECT_EQ(got, (std::vector<std::string>{"foo|1  2 3|3", "foo|4|8", "bar|5|9", "bar|5|10", "{x|y|11", "z||12"}));
    ASSERT_EQ(file.problems.size(), 1u) << "an entry repeated with the same value is nothing to warn of";
    EXPECT_EQ(file.problems[0].text, "main.cf, line 8: overriding earlier entry: foo=1  2 3");
}

TEST(MainCf, first_line_with_blanks_is_left_out)
{
    const auto file = parse_main_cf("  a = b\nc = d\n", "main.cf");
    ASSERT_EQ(file.entries.size(), 1u);
    ASSERT_EQ(file.problems.size(), 1u);
    EXPECT_EQ(file.problems[0].text, "main.cf: logical line must not start with whitespace: \"  a = b\"");
}

TEST(MainCf, bounds)
{
    EXPECT_THROW(parse_main_cf("a = " + std::string(max_logical_line + 1, 'x'), "main.cf"), ConfigError);
    std::string many;
    for (std::size_t i = 0; i <= max_entries; ++i) many += "a=b\n";
    EXPECT_THROW(parse_main_cf(many, "main.cf"), ConfigError);
}

TEST(MasterCf, fields_and_options)
{
    const auto services =
        parse_master_cf("# c\nsmtp inet n - y 60? 5 smtpd -v -vo a=b\n  # inner\n  -o { c = d, e }\n  -o{f=g}\n"
                        "x unix - n n - - pipe\n  flags=DRhu argv=/bin/x {a b} -o not=option\n",
                        "master.cf");
    ASSERT_EQ(services.size(), 2u);
    const auto& smtp = services[0];
    EXPECT_EQ(smtp.command, "smtpd");
    EXPECT_TRUE(smtp.is_chroot);
    EXPECT_FALSE(smtp.is_private);
    EXPECT_EQ(smtp.process_limit(100), 5);
    EXPECT_EQ(smtp.verbosity, 2);
    EXPECT_EQ(smtp.line, 2);
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(smtp.overrides, (Pairs{{"a", "b"}, {"c", "d, e"}, {"f", "g"}}));
    EXPECT_EQ(services[1].overrides, Pairs{}) << "what follows argv= belongs to the command";
    EXPECT_EQ(services[1].arguments,
              (std::vector<std::string>{"flags=DRhu", "argv=/bin/x", "a b", "-o", "not=option"}));
    EXPECT_EQ(services[1].process_limit(100), 100);
}

TEST(MasterCf, refuses_with_file_and_line)
{
    struct Case {
        std::string_view text, want;
    };
    const Case cases[] = {
        {"submission inet n - n - smtpd", "master.cf: line 1: bad field count"},
        {"a foo n - n - - smtpd", "master.cf: line 1: bad transport type: foo"},
        {"\na inet q - n - - smtpd", "master.cf: line 2: field \"private\": bad value: \"q\""},
        {"a inet n - n 5x - smtpd", "master.cf: line 1: field \"wakeup\": bad value: \"5x\""},
        {"a inet n - n - x smtpd", "master.cf: line 1: field \"process_limit\": bad value: \"x\""},
        {"a inet n - n - - smtpd -o foo", "master.cf: line 1: missing '=' after attribute name: \"foo\""},
        {"a inet n - n - - smtpd -o { a = b", "master.cf: line 1: missing '}' in \"{ a = b\""},
        {"a inet n - n - - ../sh", "master.cf: line 1: field \"command\": bad value: \"../sh\""},
    };
    for (const auto& row : cases) {
        try {
            parse_master_cf(row.text, "master.cf");
            ADD_FAILURE() << "accepted: " << row.text;
        } catch (const ConfigError& error) {
            EXPECT_EQ(std::string_view(error.what()), row.want);
        }
    }
    EXPECT_EQ(parse_master_cf("a inet q - n 5x x smtpd -o foo", "master.cf", false).size(), 1u);
}

TEST(Values, times_and_levels)
{
    using std::chrono::seconds;
    EXPECT_EQ(parse_time("5"), seconds(5));
    EXPECT_EQ(parse_time("5", 'd'), seconds(432000));
    EXPECT_EQ(parse_time("2W"), seconds(1209600));
    EXPECT_EQ(parse_time("5mh"), seconds(300));
    for (const auto* bad : {"", "s", "5x", "5mx", "5mhs", "mh", "5 s", "-5", "30000d", "99999999999"})
        EXPECT_FALSE(parse_time(bad)) << bad;
    EXPECT_EQ(default_unit("5d"), 'd');
    EXPECT_EQ(default_unit("${stress?{10}:{300}}s"), 's');
    EXPECT_EQ(default_unit("$command_time_limit"), 's');
    EXPECT_EQ(parse_integer("+10"), 10);
    for (const auto* bad : {"", "0x20", "9999999999", "5 ", "+-1", "a"}) EXPECT_FALSE(parse_integer(bad)) << bad;
    EXPECT_EQ(parse_integer("9999999999", true), 9999999999);
    EXPECT_LT(*parse_compatibility_level("3.6"), *parse_compatibility_level("3.10"));
    for (const auto* bad : {"abc", "2.x", "", "1.2.3.4", "-1"}) EXPECT_FALSE(parse_compatibility_level(bad)) << bad;
}

TEST(Parameters, rows_are_whole)
{
    std::string_view last;
    for (const auto& row : all_parameters()) {
        EXPECT_LT(last, row.name) << "a name stands twice";
        last = row.name;
        EXPECT_FALSE(row.summary.empty()) << row.name;
        EXPECT_EQ(row.support == Support::supported, row.reason.empty()) << row.name;
        if (row.kind != Kind::text && row.default_value.find('$') == std::string_view::npos && !row.is_obsolete())
            EXPECT_EQ(check_value(row, row.default_value), std::nullopt) << row.name;
    }
    EXPECT_EQ(find_parameter("smtpd_banner")->default_value, "$myhostname ESMTP $mail_name");
    EXPECT_EQ(find_parameter("no_such"), nullptr);
    std::string_view service;
    EXPECT_EQ(find_service_parameter("relay_extra_recipient_limit", &service)->suffix, "_extra_recipient_limit");
    EXPECT_EQ(service, "relay");
}

TEST(MasterCf, services_are_switched_off_by_type_or_name)
{
    const ServiceSpec listener{.name = "smtp", .type = "inet"}, submission{.name = "submission", .type = "inet"},
        client{.name = "smtp", .type = "unix"};
    struct Row {
        std::string_view value;
        bool listener, submission, client;
    };
    for (const Row& row :
         {Row{"", false, false, false}, Row{"inet", true, true, false}, Row{"smtp/inet", true, false, false},
          Row{"smtp.inet, unix", true, false, true}, Row{"!smtp/inet inet", false, true, false},
          Row{"inet !smtp/inet", true, true, false}, Row{"smtp", false, false, false}}) {
        EXPECT_EQ(is_disabled(listener, row.value), row.listener) << row.value;
        EXPECT_EQ(is_disabled(submission, row.value), row.submission) << row.value;
        EXPECT_EQ(is_disabled(client, row.value), row.client) << row.value;
    }
}

}  // namespace
}  // namespace ekiden::config
