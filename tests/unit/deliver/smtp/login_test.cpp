#include "deliver/smtp/login.hpp"

#include "support/run_task.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver::smtp {
namespace {

using ekiden::test::run_task;

TEST(login, value_of_the_table)
{
    const struct {
        std::string value, delimiter, user, password;
    } cases[] = {
        {"user:pass", ":", "user", "pass"},
        {"user@example.test:pa:ss", ":", "user@example.test", "pa:ss"},
        {"user", ":", "user", ""},
        {":pass", ":", "", "pass"},
        {"us:er|pass", "|", "us:er", "pass"},
    };
    for (const auto& c : cases) {
        const Login login = parse_login(c.value, c.delimiter);
        EXPECT_EQ(login.user, c.user) << c.value;
        EXPECT_EQ(login.password.view(), c.password) << c.value;
    }
}

TEST(login, fingerprints_tell_logins_apart)
{
    EXPECT_EQ(parse_login("a:b", ":").fingerprint(), parse_login("a|b", "|").fingerprint());
    EXPECT_NE(parse_login("a:b", ":").fingerprint(), parse_login("a:c", ":").fingerprint());
    EXPECT_NE(parse_login("a:bc", ":").fingerprint(), parse_login("ab:c", ":").fingerprint());
    EXPECT_EQ(parse_login("a:secret", ":").fingerprint().find("secret"), std::string::npos);
}

TEST(login, filter_of_mechanisms)
{
    LoginOptions options;
    EXPECT_EQ(run_task(options.allowed_mechanisms("PLAIN  LOGIN\tCRAM-MD5")).value(), "PLAIN LOGIN CRAM-MD5");
    options.has_filter = true;
    const struct {
        const char *filter, *want;
    } cases[] = {
        {"plain, login", "PLAIN LOGIN"}, {"!cram-md5, static:rest", "PLAIN LOGIN"}, {"gssapi", ""}, {"LOGIN", "LOGIN"},
    };
    for (const auto& c : cases) {
        options.filter = table::MatchList::open("smtp_sasl_mechanism_filter", c.filter, table::MatchList::Kind::names);
        EXPECT_EQ(run_task(options.allowed_mechanisms("PLAIN LOGIN CRAM-MD5")).value(), c.want) << c.filter;
    }
    options.filter = table::MatchList::open("smtp_sasl_mechanism_filter", "fail:x", table::MatchList::Kind::names);
    EXPECT_FALSE(run_task(options.allowed_mechanisms("PLAIN")));
}

TEST(login, only_a_refused_login_is_remembered_and_only_for_its_server)
{
    LoginOptions options;
    options.failures_name = "proxy:btree:/nowhere/a";
    options.failures_limit = std::chrono::seconds(3600);
    const Login login = parse_login("u:p", ":");
    remember_refusal(options, "mx.example.test", login, {454, "4.7.0", "later"});
    EXPECT_FALSE(find_refusal(options, "mx.example.test", login));
    remember_refusal(options, "MX.example.test", login, {535, "5.7.8", "no"});
    ASSERT_TRUE(find_refusal(options, "mx.example.test", login));
    EXPECT_EQ(find_refusal(options, "mx.example.test", login)->code, 535);
    EXPECT_FALSE(find_refusal(options, "other.example.test", login));
    EXPECT_FALSE(find_refusal(options, "mx.example.test", parse_login("u:new", ":")));
    options.failures_limit = std::chrono::seconds(0);
    remember_refusal(options, "mx.example.test", login, {535, "5.7.8", "no"});
    EXPECT_FALSE(find_refusal(options, "mx.example.test", login));
    options.failures_name.clear();
    remember_refusal(options, "mx.example.test", login, {535, "5.7.8", "no"});
    EXPECT_FALSE(find_refusal(options, "mx.example.test", login));
}

TEST(login, sender_goes_by_the_order_of_addresses)
{
    LoginOptions options;
    options.is_sender_dependent = true;
    options.sender_search.recipient_delimiter = "+";
    options.own_domain = "example.test";
    const auto user = [&](const char* tables, const char* sender) -> std::string {
        options.passwords = table::Maps::open("smtp_sasl_password_maps", tables);
        const auto found = run_task(find_login_of_sender(options, sender, nullptr));
        if (!found) return "(trouble)";
        return *found ? (*found)->user : "";
    };
    EXPECT_EQ(user("inline:{ {a@example.test = full:x}, {@example.test = domain:x} }", "a@example.test"), "full");
    EXPECT_EQ(user("inline:{ {a@example.test = full:x} }", "a+b@example.test"), "full");
    EXPECT_EQ(user("inline:{ {@example.test = domain:x} }", "b@example.test"), "domain");
    EXPECT_EQ(user("inline:{ {b = bare:x} }", "b@example.test"), "bare");
    EXPECT_EQ(user("inline:{ {b = bare:x} }", "b@other.test"), "");
    EXPECT_EQ(user("static:all:x", ""), "");
    EXPECT_EQ(user("fail:x", "a@example.test"), "(trouble)");
    options.is_sender_dependent = false;
    EXPECT_EQ(user("static:all:x", "a@example.test"), "");
}

}  // namespace
}  // namespace ekiden::deliver::smtp
