#include "net/endpoint.hpp"

#include <gtest/gtest.h>

namespace ekiden::net {
namespace {

TEST(parse_address, accepts_the_forms_of_mail_and_configuration)
{
    const struct {
        const char* text;
        const char* want;  // nullptr: refused
    } cases[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"::1", "::1"},
        {"[::1]", "::1"},
        {"[IPv6:::1]", "::1"},
        {"[ipv6:2001:db8::1]", "2001:db8::1"},
        {"[127.0.0.1]", "127.0.0.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"IPv6:::1", nullptr},
        {"[IPv6:127.0.0.1]", nullptr},
        {"fe80::1%lo", nullptr},
        {"127.1", nullptr},
        {"127.0.0.01", nullptr},
        {"127.0.0.256", nullptr},
        {"[127.0.0.1", nullptr},
        {"127.0.0.1]", nullptr},
        {"[]", nullptr},
        {"[", nullptr},
        {"", nullptr},
        {"example.com", nullptr},
        {"1:2:3:4:5:6:7:8:9", nullptr},
    };
    for (const auto& c : cases) {
        const auto got = parse_address(c.text);
        EXPECT_EQ(got ? format_address(*got) : "refused", c.want ? c.want : "refused") << c.text;
    }
    EXPECT_FALSE(parse_address(std::string_view("127.0.0.1\0x", 11)));
    EXPECT_FALSE(parse_address(std::string(1000, '1')));
}

TEST(format_address_literal, is_rfc_5321)
{
    EXPECT_EQ(format_address_literal(*parse_address("127.0.0.1")), "[127.0.0.1]");
    EXPECT_EQ(format_address_literal(*parse_address("::1")), "[IPv6:::1]");
}

TEST(parse_network, answers_in_postfix_words)
{
    const struct {
        const char* text;
        const char* want;
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0 8"},
        {"[::1]/128", "::1 128"},
        {"[::1]", "::1 128"},
        {"2001:db8::/32", "2001:db8:: 32"},
        {"192.0.2.1", "192.0.2.1 32"},
        {"0.0.0.0/0", "0.0.0.0 0"},
        {"::ffff:10.0.0.0/104", "10.0.0.0 8"},
        {"127.0.0.1/8", "non-null host address bits in \"127.0.0.1/8\", perhaps you should use \"127.0.0.0/8\" instead"},
        {"[fe80::1]/10", "non-null host address bits in \"[fe80::1]/10\", perhaps you should use \"fe80::/10\" instead"},
        {"10.0.0.0/33", "bad mask length in \"10.0.0.0/33\""},
        {"::1/129", "bad mask length in \"::1/129\""},
        {"1.2.3.4/x", "bad mask value in \"1.2.3.4/x\""},
        {"1.2.3.4/", "bad mask value in \"1.2.3.4/\""},
        {"1.2.3.4/-1", "bad mask value in \"1.2.3.4/-1\""},
        {"1.2.3.4/99999999999999", "bad mask value in \"1.2.3.4/99999999999999\""},
        {"/8", "bad network value in \"/8\""},
        {"127/8", "bad network value in \"127/8\""},
        {"[::1/128", "missing ']' character after \"[::1/128\""},
        {"foo", "bad address pattern: \"foo\""},
        {"fe80::1%lo", "bad address pattern: \"fe80::1%lo\""},
        {"", "no address pattern"},
    };
    for (const auto& c : cases) {
        const auto got = parse_network(c.text);
        EXPECT_EQ(got ? format_address(got->base) + " " + std::to_string(got->prefix) : got.error().text(), c.want)
            << c.text;
    }
}

TEST(network, contains)
{
    const struct {
        const char* network;
        const char* address;
        bool want;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true},        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::1", false},              {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},               {"::/0", "::1", true},
        {"192.0.2.128/25", "192.0.2.127", false},  {"192.0.2.128/25", "192.0.2.128", true},
        {"2001:db8::/33", "2001:db8:7fff::", true}, {"2001:db8::/33", "2001:db8:8000::", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},   {"::1", "::1", true},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(parse_network(c.network)->contains(*parse_address(c.address)), c.want)
            << c.network << " " << c.address;
    }
    const Address mapped = boost::asio::ip::make_address("::ffff:10.1.1.1");
    EXPECT_TRUE(parse_network("10.0.0.0/8")->contains(mapped));
}

TEST(format_endpoint, brackets_ipv6)
{
    EXPECT_EQ(format_endpoint({*parse_address("127.0.0.1"), 25}), "127.0.0.1:25");
    EXPECT_EQ(format_endpoint({*parse_address("::1"), 2525}), "[::1]:2525");
}

TEST(split_host_port, splits)
{
    const struct {
        const char* text;
        const char* want;  // host|port|brackets
    } cases[] = {
        {"mail.example.com:25", "mail.example.com|25|"},
        {"[mail.example.com]:submission", "mail.example.com|submission|[]"},
        {"mail.example.com", "mail.example.com||"},
        {"[mail.example.com]", "mail.example.com||[]"},
        {":587", "|587|"},
        {"[::1]:25", "::1|25|[]"},
        {"[IPv6:2001:db8::1]:25", "2001:db8::1|25|[]"},
        {"2001:db8::1", "2001:db8::1||"},
        {"[]:25", "|25|[]"},
        {"host:", "refused"},
        {"[host]:", "refused"},
        {"[host]25", "refused"},
        {"[host", "refused"},
        {"a:b:c", "refused"},
        {":", "refused"},
        {"", "refused"},
    };
    for (const auto& c : cases) {
        const auto got = split_host_port(c.text);
        EXPECT_EQ(got ? got->host + "|" + got->port + "|" + (got->is_bracketed ? "[]" : "") : "refused", c.want)
            << c.text;
    }
}

TEST(find_port, by_number_known_ports_and_services)
{
    const char* known = "lmtp=24, smtp=2525, smtps=submissions=2465, submission=2587, broken, big=70000";
    EXPECT_EQ(find_port("25", known), 25);
    EXPECT_EQ(find_port("0", known), 0);
    EXPECT_EQ(find_port("65535", known), 65535);
    EXPECT_EQ(find_port("65536", known), std::nullopt);
    EXPECT_EQ(find_port("smtp", known), 2525);
    EXPECT_EQ(find_port("smtps", known), 2465);
    EXPECT_EQ(find_port("submissions", known), 2465);
    EXPECT_EQ(find_port("big", known), std::nullopt);
    EXPECT_EQ(find_port("no-such-service", known), std::nullopt);
    EXPECT_EQ(find_port("", known), std::nullopt);
    if (find_port("smtp", "")) { EXPECT_EQ(find_port("smtp", ""), 25); }
}

}  // namespace
}  // namespace ekiden::net
