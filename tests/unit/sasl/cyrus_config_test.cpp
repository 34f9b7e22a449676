#include "sasl/cyrus_config.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

TEST(CyrusConfig, SearchesWhatIsWrittenThenWhereSitesHaveIt)
{
    EXPECT_TRUE(cyrus_search_path("/etc/postfix", "").starts_with("/etc/postfix/sasl:/usr/lib/sasl:/etc/sasl2:"));
    EXPECT_TRUE(
        cyrus_search_path("/etc/postfix-out", "/a:/b").starts_with("/a:/b:/etc/postfix-out/sasl:/etc/postfix/sasl:"));
}

TEST(CyrusConfig, ReadsAsTheLibraryDoes)
{
    const auto config = parse_cyrus_config(
        "# comment\n\npwcheck_method: auxprop\n  mech_list: PLAIN LOGIN\r\nMECH_LIST: PLAIN\nnonsense\nsql_select: SELECT a:b",
        "f");
    ASSERT_TRUE(config.find("mech_list"));
    EXPECT_EQ(config.find("mech_list")->value, "PLAIN");
    EXPECT_EQ(config.find("mech_list")->line, 5);
    EXPECT_EQ(config.find("sql_select")->value, "SELECT a:b");
    EXPECT_EQ(config.find("absent"), nullptr);
    EXPECT_EQ(config.bad_lines, std::vector<int>{6});
}

struct Case {
    const char* text;
    std::vector<std::string> offered;
    std::vector<std::string> starts;    // of the problems
};

TEST(CyrusConfig, NamesWhatCannotWork)
{
    const Case cases[] = {
        {"pwcheck_method: auxprop\nmech_list: PLAIN CRAM-MD5\n", {"PLAIN", "CRAM-MD5"}, {}},
        {"pwcheck_method: auxprop\n", {}, {}},
        {"mech_list: PLAIN EXTERNAL\n", {"PLAIN"}, {}},
        {"mech_list: plain, FOO\n", {"PLAIN"}, {"f, line 1: mech_list: mechanism FOO is not available"}},
        {"pwcheck_method: saslauth\n", {"PLAIN"}, {"f, line 1: pwcheck_method: Cyrus SASL has no \"saslauth\"; every login will fail: is saslauthd meant?"}},
        {"pwcheck_method: kerberos\n", {"PLAIN"}, {"f, line 1: pwcheck_method: Cyrus SASL has no \"kerberos\"; every login will fail"}},
        {"auxprop_plugin: sasldbb\n", {}, {"f, line 1: auxprop_plugin: Cyrus SASL has no \"sasldbb\": is sasldb meant?"}},
        {"auxprop_plugin: sasldb, sql gssapi\n", {}, {}},
        {"pwchek_method: saslauthd\nsql_engine: mysql\nlog_level: 3\n", {}, {"f, line 1: pwchek_method means nothing to Cyrus SASL: is pwcheck_method meant?"}},
        {"pwcheck_method: saslauthd\nmech_list: PLAIN CRAM-MD5\n", {"PLAIN", "CRAM-MD5"}, {"f, line 2: mech_list: mechanism CRAM-MD5 cannot work"}},
        {"pwcheck_method: saslauthd auxprop\nmech_list: PLAIN CRAM-MD5\n", {"PLAIN", "CRAM-MD5"}, {}},
        {"pwcheck_method saslauthd\nmech_list: FOO\n", {}, {"f, line 1: this is not NAME: VALUE"}},
    };
    for (const Case& one : cases) {
        const auto problems = find_cyrus_problems(parse_cyrus_config(one.text, "f"), one.offered);
        ASSERT_EQ(problems.size(), one.starts.size()) << one.text;
        for (std::size_t i = 0; i < problems.size(); ++i)
            EXPECT_TRUE(problems[i].starts_with(one.starts[i])) << problems[i];
    }
}

TEST(CyrusConfig, NamesWhatAChrootLacks)
{
    const auto root = std::filesystem::temp_directory_path() / ("ekiden-cyrus-config-" + std::to_string(::getpid()));
    std::filesystem::create_directories(root / "etc");
    const auto database = parse_cyrus_config("pwcheck_method: auxprop\nauxprop_plugin: sasldb\n", "f");
    auto absences = find_cyrus_absences(database, root, "postfix");
    ASSERT_EQ(absences.size(), 1U);
    EXPECT_TRUE(absences[0].starts_with("f, line 1: pwcheck_method: auxprop: there is no password database " +
                                        root.string() + "/etc/sasldb2"))
        << absences[0];
    std::ofstream(root / "etc/sasldb2") << "x";
    EXPECT_TRUE(find_cyrus_absences(database, root, "postfix").empty());
    EXPECT_TRUE(
        find_cyrus_absences(parse_cyrus_config("auxprop_plugin: sql\n", "f"), root / "elsewhere", "postfix").empty());
    absences = find_cyrus_absences(parse_cyrus_config("pwcheck_method: saslauthd\nsaslauthd_path: /run/mux\n", "f"),
                                   root, "postfix");
    ASSERT_EQ(absences.size(), 1U);
    EXPECT_EQ(absences[0], "f, line 2: pwcheck_method: saslauthd: there is no socket " + root.string() +
                               "/run/mux: saslauthd does not run, or elsewhere");
    std::filesystem::remove_all(root);
}

TEST(CyrusConfig, FindsTheFirstFile)
{
    const auto root = std::filesystem::temp_directory_path() / ("ekiden-cyrus-find-" + std::to_string(::getpid()));
    std::filesystem::create_directories(root / "b");
    std::ofstream(root / "b/smtpd.conf") << "pwcheck_method: auxprop\n";
    const std::string path = (root / "a").string() + ":" + (root / "b").string();
    EXPECT_EQ(find_cyrus_config(path, "smtpd"), (root / "b/smtpd.conf").string());
    EXPECT_EQ(find_cyrus_config(path, "other"), std::nullopt);
    ASSERT_TRUE(read_cyrus_config((root / "b/smtpd.conf").string()));
    EXPECT_FALSE(read_cyrus_config((root / "a/smtpd.conf").string()));
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace ekiden::sasl
