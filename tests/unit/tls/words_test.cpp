#include "tls/words.hpp"

#include <openssl/ssl.h>

#include <gmock/gmock.h>

namespace ekiden::tls {
namespace {

using testing::ElementsAre;

TEST(words, protocols_are_bounds_inclusions_and_exclusions)
{
    constexpr std::uint64_t no3 = SSL_OP_NO_SSLv3, no10 = SSL_OP_NO_TLSv1, no11 = SSL_OP_NO_TLSv1_1,
                            no12 = SSL_OP_NO_TLSv1_2, no13 = SSL_OP_NO_TLSv1_3;
    const struct {
        std::string_view text;
        int lowest, highest;
        std::uint64_t forbidden;
    } good[] = {
        {"", 0, 0, 0},
        {">=TLSv1", TLS1_VERSION, 0, 0},
        {">=tlsv1.2", TLS1_2_VERSION, 0, 0},
        {">=TLSv1.2, <=TLSv1.3", TLS1_2_VERSION, TLS1_3_VERSION, 0},
        {">=TLSv1.2:<=0x0304", TLS1_2_VERSION, TLS1_3_VERSION, 0},
        {">=301", TLS1_VERSION, 0, 0},
        {">=SSLv2", SSL3_VERSION, 0, 0},
        {"!SSLv2, !SSLv3", 0, 0, no3},
        {"!SSLv2 !SSLv3\t!TLSv1,!TLSv1.1", 0, 0, no3 | no10 | no11},
        {"TLSv1.2 : TLSv1.3", 0, 0, no3 | no10 | no11},
        {"!TLSv1.3, TLSv1.2 : TLSv1.1", 0, 0, no3 | no10 | no13},
        {"SSLv2", 0, 0, no3 | no10 | no11 | no12 | no13},
    };
    for (const auto& row : good) {
        const auto got = parse_protocols(row.text);
        ASSERT_TRUE(got) << row.text;
        EXPECT_EQ(got->lowest, row.lowest) << row.text;
        EXPECT_EQ(got->highest, row.highest) << row.text;
        EXPECT_EQ(got->forbidden, row.forbidden) << row.text;
    }
    for (std::string_view bad : {"TLSv9", "!TLS1.2", ">= TLSv1.2", ">=", ">=0999", "TLSv1.2;TLSv1.3", "<=SSL", "!",
                                 ">=0x030400000000000000000"}) {
        const auto got = parse_protocols(bad);
        ASSERT_FALSE(got) << bad;
        EXPECT_EQ(got.error().text(), "Invalid TLS protocol list \"" + std::string(bad) + "\"");
    }
}

TEST(words, a_grade_is_a_list_and_what_is_left_out)
{
    const CipherLists lists{.high = "HIGH", .medium = "HIGH:MEDIUM", .low = "LOW", .exported = "", .null = "eNULL"};
    EXPECT_EQ(*cipher_list("medium", lists, {}), "HIGH:MEDIUM");
    EXPECT_EQ(*cipher_list("High", lists, {"aNULL", "kEDH+aRSA"}), "HIGH:!aNULL:!kEDH+aRSA");
    EXPECT_EQ(*cipher_list("low", lists, {}), "LOW");
    EXPECT_EQ(*cipher_list("export", lists, {"MD5"}), "HIGH:MEDIUM:!MD5");
    EXPECT_EQ(*cipher_list("null", lists, {}), "eNULL");
    EXPECT_EQ(cipher_list("foo", lists, {}).error().text(), "invalid cipher grade: \"foo\"");
}

TEST(words, options_are_names_or_masks)
{
    std::vector<std::string> unknown;
    EXPECT_EQ(parse_ssl_options({"no_ticket", "PRIORITIZE_CHACHA"}, unknown),
              SSL_OP_NO_TICKET | SSL_OP_PRIORITIZE_CHACHA);
    EXPECT_EQ(parse_ssl_options({"0x10", "TLSEXT_PADDING"}, unknown), 0x10u | SSL_OP_TLSEXT_PADDING);
    EXPECT_THAT(unknown, ElementsAre());
    EXPECT_EQ(parse_ssl_options({"NO_TICKET", "foo", "0xzz"}, unknown), SSL_OP_NO_TICKET);
    EXPECT_THAT(unknown, ElementsAre("foo", "0xzz"));
    unknown.clear();
    EXPECT_EQ(parse_workarounds({"CVE-2010-4180", "LEGACY_SERVER_CONNECT"}, unknown),
              static_cast<std::uint64_t>(SSL_OP_LEGACY_SERVER_CONNECT));
    EXPECT_EQ(parse_workarounds({"NO_TICKET"}, unknown), 0u);
    EXPECT_THAT(unknown, ElementsAre("NO_TICKET"));
}

TEST(words, log_levels_include_the_lower_ones)
{
    EXPECT_EQ(*parse_log_level("0"), 0);
    EXPECT_EQ(*parse_log_level("1"), log_summary);
    EXPECT_EQ(*parse_log_level(" 2 "), log_summary | log_verbose);
    EXPECT_EQ(*parse_log_level("4"), log_summary | log_verbose | log_packets | log_everything);
    for (std::string_view bad : {"5", "-1", "foo", "", "10"}) EXPECT_FALSE(parse_log_level(bad)) << bad;
    EXPECT_EQ(parse_log_level("foo").error().text(), "unknown smtpd_tls_loglevel value \"foo\" in \"foo\"");
}

TEST(words, server_names_are_host_names)
{
    for (const std::string& good :
         {std::string("mail.example"), std::string("MAIL"), std::string("xn--a-b.c_d.192"), std::string(63, 'a')})
        EXPECT_TRUE(is_server_name(good)) << good;
    std::string long_name = std::string(62, 'a');
    for (int i = 0; i < 3; ++i) long_name += "." + std::string(62, 'a');
    EXPECT_TRUE(is_server_name(long_name));
    for (const std::string& bad : {std::string(), std::string("."), std::string("a..b"), std::string(".a"),
                                   std::string("a."), std::string("../etc/x"), std::string("a/b"), std::string("-a"),
                                   std::string("a-.b"), std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
                                   std::string("\xc3\xa4"), std::string(64, 'a'), long_name + ".aaaa"})
        EXPECT_FALSE(is_server_name(bad)) << bad;
}

}  // namespace
}  // namespace ekiden::tls
