#include "mail/address.hpp"
#include "mail/idna.hpp"

#include "mail/status.hpp"
#include "mail/tokens.hpp"

#include <gtest/gtest.h>

namespace ekiden::mail {
namespace {

TEST(split_address, divides_at_the_last_at_sign)
{
    const struct {
        std::string_view text, local, domain;
        bool has_domain;
    } cases[] = {
        {"user@example.com", "user", "example.com", true}, {"user", "user", "", false}, {"user@", "user", "", true},
        {"@example.com", "", "example.com", true},         {"a@b@c", "a@b", "c", true}, {"", "", "", false},
    };
    for (const auto& c : cases) {
        const auto got = split_address(c.text);
        EXPECT_EQ(got.local, c.local) << c.text;
        EXPECT_EQ(got.domain, c.domain) << c.text;
        EXPECT_EQ(got.has_domain, c.has_domain) << c.text;
    }
}

TEST(quote_address, quotes_only_what_needs_it)
{
    const struct {
        std::string_view internal, external;
    } cases[] = {
        {"user@example.com", "user@example.com"},
        {"", ""},
        {"@golden.test", "\"\"@golden.test"},
        {"bad<addr@mail.golden.test", "\"bad<addr\"@mail.golden.test"},
        {"a b@x", "\"a b\"@x"},
        {"a\"b\\c@x", "\"a\\\"b\\\\c\"@x"},
        {"a..b@x", "\"a..b\"@x"},
        {".a@x", "\".a\"@x"},
        {"a.@x", "\"a.\"@x"},
        {"a@b@x", "\"a@b\"@x"},
        {"jörg@bücher.test", "jörg@bücher.test"},
        {"first.last+ext=a/b@x", "first.last+ext=a/b@x"},
        {"user@[127.0.0.1]", "user@[127.0.0.1]"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(quote_address(c.internal), c.external);
        EXPECT_EQ(unquote_address(c.external), c.internal == "@golden.test" ? "@golden.test" : c.internal);
    }
}

TEST(unquote_address, is_tolerant)
{
    const struct {
        std::string_view external, internal;
    } cases[] = {
        {"<user@example.com>", "user@example.com"},
        {" < user @ example . com > ", "user@example.com"},
        {"User One <user1>", "user1"},
        {"user1@golden.test (MIYAUCHI Renge)", "user1@golden.test"},
        {"(c (nested \\) ) ) user(x)@(y)dom", "user@dom"},
        {"<@relay.test,@b:user1@golden.test>", "user1@golden.test"},
        {"@relay.test:user1@golden.test", "user1@golden.test"},
        {"\"user1\"@golden.test", "user1@golden.test"},
        {"us\\er@x", "user@x"},
        {"a b", "a b"},
        {"\"a b\".c@x", "a b.c@x"},
        {"<>", ""},
        {"", ""},
        {"<unclosed@x", "unclosed@x"},
        {"\"unclosed", "unclosed"},
        {"\"unclosed\\\"", "unclosed\""},
        {"\"", ""},
        {"user@[1.2.3", "user@[1.2.3"},
        {"\\", "\\"},
    };
    for (const auto& c : cases) EXPECT_EQ(unquote_address(c.external), c.internal) << c.external;
}

TEST(split_extension, honours_the_documented_exceptions)
{
    const struct {
        std::string_view local, delimiters, base, extension;
    } cases[] = {
        {"user+ext", "+", "user", "+ext"},
        {"user+a+b", "+", "user", "+a+b"},
        {"user-ext+x", "+-", "user", "-ext+x"},
        {"user", "+", "user", ""},
        {"+ext", "+", "+ext", ""},
        {"user+ext", "", "user+ext", ""},
        {"owner-list", "-", "owner-list", ""},
        {"list-request", "-", "list-request", ""},
        {"owner+x", "+", "owner", "+x"},
        {"double-bounce", "-", "double-bounce", ""},
        {"MAILER-DAEMON", "-", "MAILER-DAEMON", ""},
        {"", "+", "", ""},
    };
    for (const auto& c : cases) {
        const auto [base, extension] = split_extension(c.local, c.delimiters);
        EXPECT_EQ(base, c.base) << c.local;
        EXPECT_EQ(extension, c.extension) << c.local;
    }
    EXPECT_EQ(split_extension("owner-list", "-", false).second, "-list");
}

TEST(hostname_fault, says_what_is_wrong)
{
    const std::string long_label(64, 'a'), label(63, 'a');
    const struct {
        std::string name, want;   // "": valid
    } cases[] = {
        {"mail.example.com", ""},
        {"localhost", ""},
        {"foo_bar", ""},
        {"1.2.3.x", ""},
        {"xn--bcher-kva.test", ""},
        {"bücher.test", ""},
        {label + ".test", ""},
        {"", "empty hostname"},
        {"golden..test", "misplaced delimiter: golden..test"},
        {".golden.test", "misplaced delimiter: .golden.test"},
        {"golden.test.", "misplaced delimiter: golden.test."},
        {"-a.test", "misplaced hyphen: -a.test"},
        {"a-.test", "misplaced hyphen: a-.test"},
        {"a.test-", "misplaced hyphen: a.test-"},
        {"x@y", "invalid character 64(decimal): x@y"},
        {"\xe3\x80", "invalid character 227(decimal): \xe3\x80"},
        {"127.0.0.1", "numeric hostname: 127.0.0.1"},
        {long_label, "hostname label too long: " + long_label},
    };
    for (const auto& c : cases) EXPECT_EQ(hostname_fault(c.name).value_or(""), c.want) << c.name;
    std::string too_long;
    for (int i = 0; i < 5; ++i) too_long += label + ".";
    EXPECT_FALSE(is_valid_hostname(too_long + "test"));
}

TEST(is_valid_address_literal, knows_both_families)
{
    for (auto good : {"[127.0.0.1]", "[IPv6:::1]", "[ipv6:2001:db8::1]"})
        EXPECT_TRUE(is_valid_address_literal(good)) << good;
    for (auto bad :
         {"[1.2.3]", "[127.0.0.1", "127.0.0.1", "[::1]", "[]", "", "[256.0.0.1]", "[IPv6:127.0.0.1]", "[1.2.3.4.5]"})
        EXPECT_FALSE(is_valid_address_literal(bad)) << bad;
}

TEST(to_ascii_domain, lowers_and_encodes)
{
    EXPECT_EQ(to_ascii_domain("Example.COM"), "example.com");
    EXPECT_EQ(to_ascii_domain("B\xc3\xbc" "cher.test"), "xn--bcher-kva.test");
    EXPECT_EQ(to_ascii_domain(""), std::nullopt);
    EXPECT_EQ(to_ascii_domain("fa\xc3\x9f.test"), "xn--fa-hia.test");
    use_transitional_idna(true);
    EXPECT_EQ(to_ascii_domain("fa\xc3\x9f.test"), "fass.test");
    use_transitional_idna(false);
    EXPECT_EQ(to_ascii_domain("\xff\xfe"), std::nullopt);
}

TEST(enhanced_code_length, finds_codes_at_the_start)
{
    const struct {
        std::string_view text;
        std::size_t want;
    } cases[] = {
        {"5.1.1 user unknown", 5}, {"2.0.0", 5}, {"4.123.456 x", 9}, {"5.1.1x", 0}, {"3.1.1 x", 0},
        {"5.1", 0},                {"5..1 x", 0}, {"5.1234.1 x", 0},  {"", 0},       {"5.1.", 0},
    };
    for (const auto& c : cases) EXPECT_EQ(enhanced_code_length(c.text), c.want) << c.text;
}

TEST(lexer, gives_every_byte_to_a_token_or_to_white_space)
{
    const std::string_view text = "To: \"q\\\"x\" <a.b@[1]> (c), \xc3\xbc\\;z;";
    std::string joined;
    Token token;
    for (Lexer lexer(text); lexer.next(token);) {
        EXPECT_EQ(text.substr(token.position, token.raw.size()), token.raw);
        (joined += token.raw) += '|';
    }
    EXPECT_EQ(joined, "To|:|\"q\\\"x\"|<|a|.|b|@|[1]|>|(c)|,|\xc3\xbc\\;z|;|");
}

}  // namespace
}  // namespace ekiden::mail
