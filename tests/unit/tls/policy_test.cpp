#include "tls/policy.hpp"

#include "base/log_sinks.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

namespace ekiden::tls {
namespace {

using ekiden::test::run_task;

class Policy : public testing::Test {
protected:
    Policy()
    {
        base::use_sink(base::function_sink(
            [this](base::LogLevel, std::string_view, std::string line) { lines.push_back(std::move(line)); }));
        options.opportunistic = {">=TLSv1", "medium", {"RC4"}};
        options.mandatory = {">=TLSv1.2", "high", {"RC4", "aNULL"}};
        options.verify_match = {"hostname"};
        options.secure_match = {"nexthop", "dot-nexthop"};
        options.level = Level::may;
    }
    ~Policy() override { base::use_sink(nullptr); }

    std::string parse(std::string_view value)
    {
        lines.clear();
        return describe(parse_policy(value, options, target, "table", log));
    }
    std::string find(std::string key)
    {
        lines.clear();
        Target t = target;
        t.key = key;
        return describe(run_task(find_policy(options, t, log)));
    }
    static std::string describe(const Result<ClientPolicy>& policy)
    {
        if (!policy) return policy.error().text();
        std::string text =
            std::string(name_of(policy->level)) + " " + policy->grade.protocols + " " + policy->grade.ciphers;
        for (const auto& item : policy->grade.excluded) text += " !" + item;
        for (const auto& item : policy->match) text += " =" + item;
        if (!policy->server_name.empty()) text += " @" + policy->server_name;
        return text;
    }

    ClientOptions options;
    Target target{"[mx.example.test]:587", "example.test", "mx.example.test", false};
    Logger log{"test"};
    std::vector<std::string> lines;
};

TEST_F(Policy, entries)
{
    constexpr const char* no = "client TLS configuration problem";
    const struct {
        std::string_view value, want, warning;
    } cases[] = {
        {"may", "may >=TLSv1 medium !RC4", ""},
        {"encrypt", "encrypt >=TLSv1.2 high !RC4 !aNULL", ""},
        {"ENCRYPT protocols=>=TLSv1.3, ciphers=medium exclude=MD5:DES", "encrypt >=TLSv1.3 medium !MD5 !DES", ""},
        {"verify", "verify >=TLSv1.2 high !RC4 !aNULL =mx.example.test", ""},
        {"secure", "secure >=TLSv1.2 high !RC4 !aNULL =example.test =.example.test", ""},
        {"secure match=a.test:.b.test:hostname", "secure >=TLSv1.2 high !RC4 !aNULL =a.test =.b.test =mx.example.test", ""},
        {"fingerprint match=ab:cd|01:ef match=22", "fingerprint >=TLSv1.2 high !RC4 !aNULL =ABCD =01EF =22", ""},
        {"encrypt servername=hostname", "encrypt >=TLSv1.2 high !RC4 !aNULL @mx.example.test", ""},
        {"none ciphers=high", "none >=TLSv1 medium !RC4", "table: ignoring attribute \"ciphers=high\" with TLS disabled"},
        {"dane", "may >=TLSv1 medium !RC4", "example.test: dane configured with dnssec lookups disabled"},
        {"dane-only", no, "example.test: dane-only configured with dnssec lookups disabled"},
        {"bogus", no, "table: invalid security level \"bogus\""},
        {"", no, "table: invalid security level \"\""},
        {"may foo=bar", no, "table: invalid attribute name: \"foo\""},
        {"may match=x", no, "table: attribute \"match\" invalid at security level \"may\""},
        {"secure match=", no, "table: attribute \"match\" has empty value"},
        {"fingerprint", no, "nexthop domain example.test: configured at fingerprint security level, but with no fingerprints to match."},
        {"encrypt servername=..bad", no, "table: \"servername=..bad\" specifies an invalid hostname"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(parse(c.value), c.want) << c.value;
        EXPECT_EQ(lines.empty() ? "" : lines.front(), c.warning.empty() ? "" : "warning: " + std::string(c.warning))
            << c.value;
    }
}

TEST_F(Policy, destinations)
{
    options.policies = table::Maps::open(
        "smtp_tls_policy_maps", "inline:{ {example.test = encrypt}, {.example.test = none}, {[a.test]:25 = verify} }");
    EXPECT_EQ(find("example.test").substr(0, 7), "encrypt");
    EXPECT_EQ(find("sub.example.test").substr(0, 4), "none");
    EXPECT_EQ(find("a.b.example.test").substr(0, 4), "none");
    EXPECT_EQ(find("[a.test]:25").substr(0, 6), "verify");
    EXPECT_EQ(find("[a.test]").substr(0, 3), "may");
    EXPECT_EQ(find("[sub.example.test]").substr(0, 3), "may");
    EXPECT_EQ(find("sub.example.test:25").substr(0, 3), "may");
    options.policies = table::Maps::open("smtp_tls_policy_maps", "fail:x");
    EXPECT_EQ(find("example.test"), "client TLS configuration problem");
}

TEST_F(Policy, unix_sockets_need_no_opportunity)
{
    target.is_unix = true;
    EXPECT_EQ(parse("may").substr(0, 4), "none");
    EXPECT_EQ(parse("encrypt").substr(0, 7), "encrypt");
}

TEST_F(Policy, different_policies_have_different_digests)
{
    std::vector<std::string> digests;
    for (const char* value : {"may", "encrypt", "secure", "secure match=a", "verify match=a", "encrypt ciphers=low",
                              "encrypt servername=a.test"}) {
        digests.push_back(parse_policy(value, options, target, "table", log)->digest());
    }
    std::ranges::sort(digests);
    EXPECT_EQ(std::ranges::adjacent_find(digests), digests.end());
}

TEST(sites, the_more_specific_and_the_stricter_win)
{
    const struct {
        Level site;
        std::string_view by_destination, by_host;
        std::optional<Level> want;
    } cases[] = {
        {Level::may, "", "", Level::may},
        {Level::may, "NONE", "", Level::none},
        {Level::may, "NONE", "MUST", Level::verify},
        {Level::may, "MAY", "none", Level::none},
        {Level::verify, "MAY", "", Level::verify},
        {Level::none, "MAY", "MAY", Level::may},
        {Level::verify, "MUST_NOPEERMATCH", "", Level::encrypt},
        {Level::may, "MUST", "MUST_NOPEERMATCH", Level::verify},
        {Level::may, "SOMETIMES", "", std::nullopt},
    };
    for (const auto& c : cases)
        EXPECT_EQ(combine_sites(c.site, c.by_destination, c.by_host), c.want) << c.by_destination << "/" << c.by_host;
}

}  // namespace
}  // namespace ekiden::tls
