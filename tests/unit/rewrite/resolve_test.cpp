#include "rewrite/resolve.hpp"

#include "unit/rewrite/world.hpp"

#include <gtest/gtest.h>

namespace ekiden::rewrite {
namespace {

using test::make_settings;
using test::Overrides;
using test::run;

TEST(complete, finishes_what_people_write)
{
    const struct {
        std::string_view given, want;
    } cases[] = {
        {"user1", "user1@mail.golden.test"},
        {"user1@golden.test", "user1@golden.test"},
        {"user1@golden.test.", "user1@golden.test"},
        {"foo@bar", "foo@bar"},
        {"", ""},
        {"@golden.test", "@golden.test"},
        {"user1@", "user1@"},
        {"site!user", "user@site"},
        {"a!b!user", "b!user@a"},
        {"user%site", "user@site"},
        {"user%site@golden.test", "user%site@golden.test"},
        {"a b%c", "a b%c@mail.golden.test"},
        {"@r1,@r2:user", "user@mail.golden.test"},
        {"user@[127.0.0.1]", "user@[127.0.0.1]"},
        {"user@golden..test", "user@golden..test"},
    };
    const auto resolver = Resolver::make(make_settings());
    for (const auto& c : cases) {
        EXPECT_EQ(resolver->complete(c.given, "local"), c.want) << c.given;
        EXPECT_EQ(resolver->complete(c.given, "remote"), c.given);
    }
    const auto old = Resolver::make(
        make_settings({{"append_dot_mydomain", "yes"}, {"remote_header_rewrite_domain", "invalid.test"}}));
    EXPECT_EQ(old->complete("foo@bar", "local"), "foo@bar.golden.test");
    EXPECT_EQ(old->complete("foo@[::1]", "local"), "foo@[::1]");
    EXPECT_EQ(old->complete("foo", "remote"), "foo@invalid.test");
    EXPECT_EQ(old->complete("foo@bar", "remote"), "foo@bar.invalid.test");
}

struct Case {
    std::string_view recipient, transport, next_hop;
    AddressClass address_class = AddressClass::other;
    std::string_view resolved = {};   // "" = as given
    std::string_view sender = "sender@golden.test";
};

void check(const Overrides& overrides, std::initializer_list<Case> cases)
{
    const auto resolver = Resolver::make(make_settings(overrides));
    for (const auto& c : cases) {
        const Result<Route> got = run(resolver->resolve(std::string(c.sender), std::string(c.recipient)));
        ASSERT_TRUE(got) << c.recipient << ": " << got.error().text();
        EXPECT_EQ(got->transport, c.transport) << c.recipient;
        EXPECT_EQ(got->next_hop, c.next_hop) << c.recipient;
        EXPECT_EQ(got->address_class, c.address_class) << c.recipient;
        EXPECT_EQ(got->recipient, c.resolved.empty() ? c.recipient : c.resolved) << c.recipient;
    }
}

TEST(resolve, sorts_into_classes)
{
    const Overrides overrides = {
        {"virtual_alias_domains", "va.test"},
        {"virtual_mailbox_domains", "vm.test"},
        {"relay_domains", "relay.test"},
        {"proxy_interfaces", "192.0.2.7"},
        {"local_transport", "local"},
    };
    using enum AddressClass;
    check(overrides, {
        {"user1@golden.test", "local", "golden.test", local},
        {"user1@Golden.TEST", "local", "golden.test", local},
        {"user1@[127.0.0.1]", "local", "[127.0.0.1]", local},
        {"user1@[192.0.2.7]", "local", "[192.0.2.7]", local},
        {"user1@[192.0.2.8]", "smtp", "[192.0.2.8]", other},
        {"user1", "local", "mail.golden.test", local, "user1@mail.golden.test"},
        {"", "local", "mail.golden.test", local, "MAILER-DAEMON@mail.golden.test"},
        {"@golden.test", "local", "golden.test", local, "MAILER-DAEMON@golden.test"},
        {"one@va.test", "error", "5.1.1 User unknown in virtual alias table", virtual_alias},
        {"one@vm.test", "virtual", "vm.test", virtual_mailbox},
        {"one@relay.test", "relay", "relay.test", relay},
        {"one@sub.relay.test", "relay", "sub.relay.test", relay},
        {"one@remote.test", "smtp", "remote.test", other},
        {"user%remote.test@golden.test", "smtp", "remote.test", other, "user@remote.test"},
        {"remote.test!user@golden.test", "smtp", "remote.test", other, "user@remote.test"},
        {"user@remote.test@golden.test", "smtp", "remote.test", other, "user@remote.test"},
        {"user%localhost@golden.test", "local", "localhost", local, "user@localhost"},
    });
    check({{"show_user_unknown_table_name", "no"}, {"virtual_alias_domains", "va.test"}},
          {{"one@va.test", "error", "5.1.1 User unknown", virtual_alias}});
    check({}, {{"user1@golden.test", "local", "mail.golden.test", local}});
}

TEST(resolve, knows_bad_syntax)
{
    test::LogLines log;
    const auto resolver = Resolver::make(make_settings());
    for (const char* bad : {"user1@", "user1@[1.2.3]", "user1@golden..test", "user@127.0.0.1", "-dash@mail.golden.test",
                            "user@-x.test", "user@[::1]"}) {
        const auto got = run(resolver->resolve("", bad));
        ASSERT_TRUE(got);
        EXPECT_TRUE(got->has_bad_syntax) << bad;
        EXPECT_EQ(got->transport, "error") << bad;
        EXPECT_EQ(got->next_hop, "5.1.3 bad address syntax") << bad;
    }
    EXPECT_EQ(log.joined(), "postfix/trivial-rewrite: warning: valid_ipv4_hostaddr: invalid octet count: 1.2.3\n");
    const auto lax = Resolver::make(
        make_settings({{"resolve_numeric_domain", "yes"}, {"resolve_null_domain", "yes"}, {"allow_min_user", "yes"}}));
    EXPECT_EQ(run(lax->resolve("", "user@192.0.2.1"))->next_hop, "[192.0.2.1]");
    EXPECT_EQ(run(lax->resolve("", "user1@"))->recipient, "user1@mail.golden.test");
    EXPECT_EQ(run(lax->resolve("", "-dash@golden.test"))->transport, "local");
}

TEST(resolve, notices_sender_specified_routing)
{
    const auto resolver = Resolver::make(make_settings());
    EXPECT_TRUE(run(resolver->resolve("", "user%other.test@remote.test"))->has_sender_routing);
    EXPECT_TRUE(run(resolver->resolve("", "user%a.test%remote.test@golden.test"))->has_sender_routing);
    const auto hosting = Resolver::make(make_settings({{"virtual_mailbox_domains", "vm.test"}}));
    EXPECT_TRUE(run(hosting->resolve("", "user%other.test@vm.test"))->has_sender_routing);
    EXPECT_FALSE(run(resolver->resolve("", "user@remote.test"))->has_sender_routing);
    EXPECT_FALSE(run(resolver->resolve("", "user@golden.test"))->has_sender_routing);
}

TEST(resolve, follows_transport_maps)
{
    const Overrides overrides = {
        {"transport_maps",
         "inline:{ u@t1.test=smtp:[127.0.0.25], { t2.test = error:5.1.7 no mail for t2 }, t3.test=discard:silently, "
         ".t4.test=:[127.0.0.25], t5.test=smtp:[127.0.0.25]:2525, t7.test=slow:, ext@t9.test=smtp:plain }"},
        {"recipient_delimiter", "+"},
    };
    check(overrides, {
        {"u@t1.test", "smtp", "[127.0.0.25]"},
        {"U@T1.test", "smtp", "[127.0.0.25]"},
        {"v@t1.test", "smtp", "t1.test"},
        {"a@t2.test", "error", "5.1.7 no mail for t2"},
        {"a@t3.test", "discard", "silently"},
        {"a@sub.t4.test", "smtp", "[127.0.0.25]"},
        {"a@t4.test", "smtp", "t4.test"},
        {"a@t5.test", "smtp", "[127.0.0.25]:2525"},
        {"a@sub.t5.test", "smtp", "sub.t5.test"},
        {"a@t7.test", "slow", "t7.test"},
        {"ext+x@t9.test", "smtp", "plain"},
    });
    check({{"transport_maps", "inline:{ t5.test=smtp:x, *=smtp:everything }"},
           {"parent_domain_matches_subdomains", "transport_maps"}},
          {{"a@sub.t5.test", "smtp", "x"}, {"user1@golden.test", "smtp", "everything", AddressClass::local}});
}

TEST(resolve, shows_patterns_whole_addresses_only)
{
    const std::string path = testing::TempDir() + "ekiden_transport_" + std::to_string(getpid());
    FILE* file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    std::fputs("/^t1\\.test$/ smtp:domain\n/^\\*$/ smtp:star\n/@t2\\.test$/ smtp:whole\n", file);
    std::fclose(file);
    check({{"transport_maps", "regexp:" + path + ", inline:{ t3.test=smtp:exact }"}},
          {{"a@t1.test", "smtp", "t1.test"}, {"a@t2.test", "smtp", "whole"}, {"a@t3.test", "smtp", "exact"}});
    std::remove(path.c_str());
}

TEST(resolve, takes_relayhosts_in_order)
{
    check({{"relayhost", "127.0.0.25"}, {"relay_domains", "relay.test"}},
          {{"x@other.test", "smtp", "127.0.0.25"},
           {"x@relay.test", "relay", "127.0.0.25", AddressClass::relay},
           {"x@golden.test", "local", "mail.golden.test", AddressClass::local}});
    check({{"relayhost", "[r.test]:587"}, {"default_transport", "smtp:[d.test]"}},
          {{"x@other.test", "smtp", "[d.test]"}});
    check({{"relayhost", "[r.test]"},
           {"sender_dependent_relayhost_maps",
            "inline:{ a@golden.test=[a.test]:26, @b.test=[b.test], <>=[null.test], d@golden.test=DUNNO }"}},
          {{"x@other.test", "smtp", "[a.test]:26", AddressClass::other, "", "a@golden.test"},
           {"x@other.test", "smtp", "[b.test]", AddressClass::other, "", "any@b.test"},
           {"x@other.test", "smtp", "[null.test]", AddressClass::other, "", ""},
           {"x@other.test", "smtp", "[r.test]", AddressClass::other, "", "d@golden.test"},
           {"x@other.test", "smtp", "[r.test]", AddressClass::other, "", "c@golden.test"}});
    check({{"relayhost", "[r.test]"},
           {"sender_dependent_default_transport_maps", "inline:{ a@golden.test=slow:, b@golden.test=slow:[n.test] }"}},
          {{"x@other.test", "slow", "[r.test]", AddressClass::other, "", "a@golden.test"},
           {"x@other.test", "slow", "[n.test]", AddressClass::other, "", "b@golden.test"},
           {"x@other.test", "smtp", "[r.test]", AddressClass::other, "", "c@golden.test"}});
}

TEST(resolve, filters_replace_transport_and_next_hop)
{
    struct Row {
        std::string_view filter, transport, next_hop;
    };
    for (const auto& [filter, transport, next_hop] : {
             Row{"smtp:[127.0.0.1]:10025", "smtp", "[127.0.0.1]:10025"},
             Row{"scan:dummy", "scan", "dummy"},
             Row{"scan:", "scan", "example.com"},
             Row{"scan", "scan", "example.com"},
         }) {
        Route route{.transport = "local", .next_hop = "golden.test", .recipient = {}};
        apply_filter(route, filter, "user@example.com");
        EXPECT_EQ(route.transport, transport) << filter;
        EXPECT_EQ(route.next_hop, next_hop) << filter;
    }
}

TEST(resolve, tells_where_people_moved)
{
    check({{"relocated_maps", "inline:{ gone=new@else.test }"}},
          {{"gone@golden.test", "error", "5.1.6 User has moved to new@else.test", AddressClass::local}});
}

TEST(resolve, defers_when_a_table_fails)
{
    for (const char* parameter : {"transport_maps", "relocated_maps", "sender_dependent_relayhost_maps",
                                  "sender_dependent_default_transport_maps"}) {
        const auto resolver = Resolver::make(make_settings({{parameter, "fail:oops"}}));
        EXPECT_FALSE(run(resolver->resolve("sender@golden.test", "x@other.test"))) << parameter;
    }
    const auto resolver = Resolver::make(make_settings({{"mydestination", "hash:/nonexistent/table"}}));
    EXPECT_FALSE(run(resolver->resolve("", "x@other.test")));
    EXPECT_FALSE(run(resolver->classify("other.test")));
}

}  // namespace
}  // namespace ekiden::rewrite
