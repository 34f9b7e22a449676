#include "dns/mx.hpp"

#include "base/random.hpp"
#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

namespace ekiden::dns {
namespace {

void add_mx(FakeResolver& resolver, const char* domain, std::uint16_t preference, const char* host)
{
    Record record{};
    record.type = Type::mx;
    record.preference = preference;
    record.name = host;
    resolver.add(domain, record);
}

void add_address(FakeResolver& resolver, const char* host, const char* address)
{
    Record record{};
    record.address = *net::parse_address(address);
    record.type = record.address.is_v4() ? Type::a : Type::aaaa;
    resolver.add(host, record);
}

std::string show(const MailHosts& found)
{
    std::string text;
    for (const auto& host : found.hosts) {
        if (!text.empty()) text += " ";
        text += host.name + "[" + net::format_address(host.address) + "]";
    }
    if (!found.code.empty()) text += found.code + " " + found.text;
    if (!found.warning.empty()) text += " | " + found.warning;
    return text;
}

void fill(FakeResolver& world)
{
    add_mx(world, "remote.test", 10, "mx.remote.test");
    add_address(world, "mx.remote.test", "127.0.0.25");
    add_mx(world, "prefs.test", 20, "mx.remote.test");
    add_mx(world, "prefs.test", 10, "down.prefs.test");
    add_address(world, "down.prefs.test", "127.0.0.26");
    add_address(world, "a-only.test", "127.0.0.25");
    add_mx(world, "nullmx.test", 0, "");
    add_mx(world, "mxnohost.test", 10, "nohost.mxnohost.test");
    world.add("noaddr.test", Record{.type = Type::txt, .text = "no address here"});
    add_mx(world, "loop.test", 10, "mail.golden.test");
    add_address(world, "mail.golden.test", "127.0.0.1");
    add_mx(world, "backup.test", 10, "mx.remote.test");
    add_mx(world, "backup.test", 20, "mail.golden.test");
    add_mx(world, "backup.test", 20, "down.prefs.test");
    add_mx(world, "backup.test", 30, "far.test");
    add_address(world, "far.test", "192.0.2.9");
    add_address(world, "self.test", "127.0.0.1");
    world.add("cname.test", Record{.type = Type::cname, .name = "remote.test"});
    add_mx(world, "mxcname.test", 10, "alias.remote.test");
    world.add("alias.remote.test", Record{.type = Type::cname, .name = "mx.remote.test"});
    world.fail("servfail.test", Type::mx);
    add_mx(world, "halfdead.test", 10, "dead.test");
    add_mx(world, "halfdead.test", 20, "nohost.mxnohost.test");
    world.fail("dead.test", Type::a);
    world.fail("dead.test", Type::aaaa);
    add_mx(world, "mixed.test", 10, "mixed.test");
    add_address(world, "mixed.test", "192.0.2.1");
    add_address(world, "mixed.test", "2001:db8::1");
    add_mx(world, "literal.test", 10, "192.0.2.7");
    add_mx(world, "half.test", 0, "");
    add_mx(world, "half.test", 10, "mx.remote.test");
}

TEST(find_mail_hosts, answers_as_postfix)
{
    FakeResolver world;
    fill(world);
    const auto dns_error = [](const char* name, const char* type, const char* why) {
        return std::string("Host or domain name not found. Name service error for name=") + name + " type=" + type +
               ": " + why;
    };
    const struct {
        const char* name;
        std::string want;
    } cases[] = {
        {"remote.test", "mx.remote.test[127.0.0.25]"},
        {"prefs.test", "down.prefs.test[127.0.0.26] mx.remote.test[127.0.0.25]"},
        {"a-only.test", "a-only.test[127.0.0.25]"},
        {"cname.test", "mx.remote.test[127.0.0.25]"},
        {"mxcname.test", "alias.remote.test[127.0.0.25]"},
        {"127.0.0.25", "127.0.0.25[127.0.0.25]"},
        {"[127.0.0.25]", "127.0.0.25[127.0.0.25]"},
        {"[IPv6:::1]", "::1[::1]"},
        {"nullmx.test", "5.1.0 Domain nullmx.test does not accept mail (nullMX)"},
        {"half.test", "5.1.0 Domain half.test does not accept mail (nullMX)"},
        {"mxnohost.test", "5.4.4 " + dns_error("nohost.mxnohost.test", "AAAA", "Host not found") +
                              " | no MX host for mxnohost.test has a valid address record"},
        {"noaddr.test", "5.4.4 " + dns_error("noaddr.test", "AAAA", "Host found but no data record of requested type")},
        {"nosuch.test", "5.4.4 " + dns_error("nosuch.test", "AAAA", "Host not found")},
        {"servfail.test", "4.4.3 " + dns_error("servfail.test", "MX", "Host not found, try again")},
        {"halfdead.test", "4.4.3 " + dns_error("dead.test", "AAAA", "Host not found, try again") +
                              " | no MX host for halfdead.test has a valid address record"},
        {"loop.test", "5.4.6 mail for loop.test loops back to myself"},
        {"self.test", "5.4.6 mail for self.test loops back to myself"},
        {"backup.test", "mx.remote.test[127.0.0.25]"},
        {"literal.test", "192.0.2.7[192.0.2.7]"},
    };
    MailHostOptions options;
    options.is_own_address = [](const net::Address& address) { return net::format_address(address) == "127.0.0.1"; };
    for (const auto& c : cases) {
        test::Loop loop;
        EXPECT_EQ(show(loop.run(find_mail_hosts(world, c.name, options))), c.want) << c.name;
    }
}

TEST(find_mail_hosts, follows_its_options)
{
    FakeResolver world;
    fill(world);
    test::Loop loop;
    MailHostOptions options;
    options.uses_mx = false;
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "mixed.test", options))).size(),
              std::string("mixed.test[192.0.2.1] mixed.test[2001:db8::1]").size());
    EXPECT_TRUE(show(loop.run(find_mail_hosts(world, "remote.test", options))).starts_with("5.4.4 "));
    options = {};
    options.preferred = FamilyPreference::ipv6;
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "mixed.test", options))),
              "mixed.test[2001:db8::1] mixed.test[192.0.2.1]");
    options.preferred = FamilyPreference::ipv4;
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "mixed.test", options))),
              "mixed.test[192.0.2.1] mixed.test[2001:db8::1]");
    options.families = {true, false};
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "mixed.test", options))), "mixed.test[192.0.2.1]");
    EXPECT_TRUE(show(loop.run(find_mail_hosts(world, "nosuch.test", options))).ends_with("type=A: Host not found"));
    options = {};
    options.defers_without_address = true;
    EXPECT_TRUE(show(loop.run(find_mail_hosts(world, "mxnohost.test", options))).starts_with("4.4.4 "));
    options = {};
    options.ignores_mx_trouble = true;
    EXPECT_TRUE(show(loop.run(find_mail_hosts(world, "servfail.test", options))).starts_with("5.4.4 "));
    options = {};
    options.address_limit = 1;
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "prefs.test", options))), "down.prefs.test[127.0.0.26]");
}

TEST(find_mail_hosts, shuffles_within_a_preference_only)
{
    FakeResolver world;
    for (int i = 0; i < 5; ++i) {
        const std::string host = "m" + std::to_string(i) + ".test";
        add_mx(world, "many.test", 10, host.c_str());
        add_address(world, host.c_str(), ("192.0.2." + std::to_string(i)).c_str());
    }
    add_mx(world, "many.test", 5, "first.test");
    add_address(world, "first.test", "192.0.2.100");
    std::set<std::string> orders;
    test::Loop loop;
    for (unsigned seed = 0; seed < 20; ++seed) {
        base::fix_random(seed);
        const auto order = show(loop.run(find_mail_hosts(world, "many.test", {})));
        EXPECT_TRUE(order.starts_with("first.test[192.0.2.100] "));
        orders.insert(order);
    }
    EXPECT_GT(orders.size(), 5u);
    MailHostOptions still;
    still.is_shuffled = false;
    EXPECT_TRUE(
        show(loop.run(find_mail_hosts(world, "many.test", still))).ends_with("m3.test[192.0.2.3] m4.test[192.0.2.4]"));
}

TEST(find_mail_hosts, bounds_how_much_it_looks_up)
{
    FakeResolver world;
    for (int i = 0; i < 1000; ++i) {
        const std::string host = "m" + std::to_string(i) + ".test";
        add_mx(world, "huge.test", 10, host.c_str());
        add_address(world, host.c_str(), "192.0.2.1");
    }
    test::Loop loop;
    EXPECT_EQ(loop.run(find_mail_hosts(world, "huge.test", {})).hosts.size(), max_mx_hosts);
}

TEST(find_mail_hosts, gives_both_protocols_their_turn)
{
    FakeResolver world;
    for (int i = 1; i <= 3; ++i) {
        const std::string host = "six" + std::to_string(i) + ".test";
        add_mx(world, "many.test", static_cast<std::uint16_t>(10 * i), host.c_str());
        add_address(world, host.c_str(), ("2001:db8::" + std::to_string(i)).c_str());
    }
    for (int i = 1; i <= 2; ++i) {
        const std::string host = "four" + std::to_string(i) + ".test";
        add_mx(world, "many.test", static_cast<std::uint16_t>(40 + i), host.c_str());
        add_address(world, host.c_str(), ("192.0.2." + std::to_string(i)).c_str());
    }
    const struct {
        std::size_t limit;
        const char* want;   // which protocols are among the first
    } cases[] = {{1, "6"}, {2, "64"}, {3, "664"}, {4, "6644"}, {5, "66644"}, {0, "66644"}};
    for (const auto& c : cases) {
        MailHostOptions options;
        options.address_limit = c.limit;
        test::Loop loop;
        std::string got;
        for (const auto& host : loop.run(find_mail_hosts(world, "many.test", options)).hosts)
            got += host.address.is_v6() ? '6' : '4';
        EXPECT_EQ(got.substr(0, c.limit > 0 ? c.limit : got.size()), c.want) << c.limit;
        options.is_balanced = false;
        got.clear();
        for (const auto& host : loop.run(find_mail_hosts(world, "many.test", options)).hosts)
            got += host.address.is_v6() ? '6' : '4';
        EXPECT_EQ(got, c.limit > 0 ? std::string("66644").substr(0, c.limit) : "66644") << c.limit;
    }
}

TEST(find_mail_hosts, says_what_the_system_says_when_it_asks_the_system)
{
    FakeResolver world;
    fill(world);
    world.fail("dead.test", Type::a);
    MailHostOptions options;
    options.uses_mx = false;
    options.address_source = Source::hosts_and_dns;
    test::Loop loop;
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "nosuch.test", options))),
              "5.4.4 unable to look up host nosuch.test: Name or service not known");
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "noaddr.test", options))),
              "5.3.0 unable to look up host noaddr.test: No address associated with hostname");
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "dead.test", options))),
              "4.4.4 unable to look up host dead.test: Temporary failure in name resolution");
    options.address_source = Source::dns_then_hosts;
    EXPECT_TRUE(show(loop.run(find_mail_hosts(world, "dead.test", options)))
                    .starts_with("4.4.3 Host or domain name not found."));
    EXPECT_EQ(show(loop.run(find_mail_hosts(world, "nosuch.test", options))),
              "5.4.4 unable to look up host nosuch.test: Name or service not known");
}

}  // namespace
}  // namespace ekiden::dns
