#include "check/settings_problems.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

std::vector<std::string> problems_of(const std::string& lines, const std::string& master = {}, bool wants_hints = false)
{
    World world("");
    const std::string main_cf = world.directory() + "/main.cf", master_cf = world.directory() + "/master.cf";
    std::ofstream(main_cf) << "compatibility_level = 3.6\n" << lines;
    std::ofstream(master_cf) << master;
    config::LoadOptions options;
    options.directory = world.directory();
    std::vector<std::string> texts;
    const auto settings = config::Settings::load(options);
    for (const config::Problem& problem :
         wants_hints ? find_list_hints(*settings) : find_fatal_list_problems(*settings)) {
        EXPECT_EQ(problem.level, wants_hints ? config::Problem::Level::warning : config::Problem::Level::fatal);
        if (!problem.text.starts_with("in parameter ")) EXPECT_GT(problem.at.line, 0);
        std::string text = problem.text;
        if (const auto at = text.find(world.directory()); at != std::string::npos)
            text.replace(at, world.directory().size() + 1, "");
        texts.push_back(std::move(text));
    }
    return texts;
}

TEST(SettingsProblems, MiltersThatAreNoneAreNamedOnce)
{
    using Texts = std::vector<std::string>;
    const std::string master = "smtp inet n - n - - smtpd\n587 inet n - y - - smtpd\ncleanup unix n - n - 0 cleanup\n";
    const struct {
        const char* lines;
        std::string more;
        Texts want;
    } rows[] = {
        {"smtpd_milters = inet:8891@localhost\n", "", {"main.cf, line 2: smtpd_milters: milter inet:8891@localhost: want inet:host:port"}},
        {"non_smtpd_milters = localhost:8891\n", "", {"main.cf, line 2: non_smtpd_milters: milter localhost:8891: want inet:host:port or unix:path"}},
        {"smtpd_milters = unix:a, { inet:localhost:1, protocol=5 }\n", "", {"main.cf, line 2: smtpd_milters: milter inet:localhost:1: bad protocol value: 5"}},
        {"smtpd_milters = unix:a\nmilter_default_action = maybe\n", "", {"main.cf, line 3: bad milter_default_action value: maybe"}},
        {"milter_default_action = maybe\n", "", {}},
        {"smtpd_milters = unix:a\nnon_smtpd_milters = $smtpd_milters\n", "", {}},
        {"", "465 inet n - n - - smtpd\n  -o smtpd_milters=nonsense\n", {"master.cf: line 5: smtpd_milters: milter nonsense: want inet:host:port or unix:path"}},
    };
    for (const auto& row : rows) EXPECT_EQ(problems_of(row.lines, master + row.more), row.want) << row.lines << row.more;
}

TEST(SettingsProblems, UnknownTableTypesAreNamedWithFileAndLine)
{
    using Texts = std::vector<std::string>;
    struct {
        const char* lines;
        Texts want;
    } rows[] = {
        {"virtual_alias_maps = hasch:/etc/postfix/virtual\n", {"main.cf, line 2: virtual_alias_maps: unsupported dictionary type: hasch (is hash meant?)"}},
        {"mynetworks = 127.0.0.0/8, [::1]/128 2001:db8::/32 fe80::/64 !cidrr:/x\n", {"main.cf, line 2: mynetworks: unsupported dictionary type: cidrr (is cidr meant?)"}},
        {"alias_maps = hash:/etc/aliases,\n  nonesuch:mail.aliases\n", {"main.cf, line 3: alias_maps: unsupported dictionary type: nonesuch"}},
        {"virtual_alias_maps = mysql:/etc/postfix/x\n", {"main.cf, line 2: virtual_alias_maps: unsupported dictionary type: mysql (not in this release)"}},
        {"virtual_alias_maps = unionmap:{hash:/x, {debug:proxy:ldap:/y}}\n", {"main.cf, line 2: virtual_alias_maps: unsupported dictionary type: ldap (not in this release)"}},
        {"transport_maps = proxy:blurb:/x\n", {"main.cf, line 2: transport_maps: unsupported dictionary type: blurb"}},
        {"smtpd_recipient_restrictions = check_client_access blurb:/x, permit\n", {"main.cf, line 2: smtpd_recipient_restrictions: unsupported dictionary type: blurb"}},
        {"transport_maps = blurb:/x, blurb:/y\n", {"main.cf, line 2: transport_maps: unsupported dictionary type: blurb"}},
        {"smtpd_sender_restrictions = blurb:/x\n", {"main.cf, line 2: smtpd_sender_restrictions: unsupported dictionary type: blurb"}},
        {"smtpd_sender_restrictions = check_ccert_access { blurb:/x, { search_order = cert_fingerprint } }\n", {"main.cf, line 2: smtpd_sender_restrictions: unsupported dictionary type: blurb"}},
        {"smtpd_restriction_classes = c\nc = check_helo_access blurb:/x\n", {"main.cf, line 3: c: unsupported dictionary type: blurb"}},
        {"smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:1, check_policy_service { unix:x, timeout=1s }, reject_rbl_client a.test=127.0.0.2, sleep 1\n", {}},
        {"virtual_alias_maps = hash:/x, pcre:/y cidr:/z proxy:texthash:/x static:{x:y} inline:{a=b:c} unionmap:{hash:/x,hash:/y}\n", {}},
        {"mydestination = /etc/file, [1.2.3.4], name.test\nrelayhost = lmtp:x:25\nmailbox_transport = blurb:x\nmy_own = blurb:x\n", {}},
        {"header_checks = blurb:/x\n", {"main.cf, line 2: header_checks: unsupported dictionary type: blurb"}},
        {"relay_domains = # blurb:x\n", {}},
        {"alias_maps = hash:/etc/aliases\t# aliases\n", {"main.cf, line 2: alias_maps: open dictionary: expecting \"type:name\" form instead of \"#\""}},
        {"virtual_alias_maps = hash:/x,\n  /etc/postfix/virtual\n", {"main.cf, line 3: virtual_alias_maps: open dictionary: expecting \"type:name\" form instead of \"/etc/postfix/virtual\""}},
        {"my_own_maps = x\nbody_checks =\nproxy_read_maps = $mydestination x.test\nalias_maps = inline:{ a=b, c=d } static:{x y}\n", {}},
        {"smtpd_restriction_classes = a, b, c\na = permit\nb =\n",
         {"main.cf, line 2: restriction class `b' needs a definition: write b = and its restrictions",
          "main.cf, line 2: restriction class `c' needs a definition: write c = and its restrictions"}},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.lines);
        EXPECT_EQ(problems_of(row.lines), row.want);
    }
    EXPECT_EQ(
        problems_of("", "587 inet n - n - - smtpd\n  -o smtpd_client_restrictions=check_client_access,blurb:/x\n"),
        Texts{"master.cf: line 2: -o smtpd_client_restrictions: unsupported dictionary type: blurb"});
}

TEST(SettingsProblems, AddressesMayBeVerified)
{
    using Texts = std::vector<std::string>;
    EXPECT_EQ(problems_of("smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient\n"),
              Texts{});
    EXPECT_EQ(problems_of("smtpd_sender_restrictions = { warn_if_reject }, { reject_unverified_sender }\n"), Texts{});
}

TEST(SettingsProblems, OpenRelaysStopTheStart)
{
    const std::string smtpd = "25 inet n - n - - smtpd\n", text = open_relay_text;
    const std::string level =
        " (smtpd_relay_restrictions is empty by default where main.cf has no compatibility_level of 1 or more: write compatibility_level = 3.6)";
    struct {
        const char* lines;
        std::string master, want;
    } rows[] = {
        {"", smtpd, ""},
        {"compatibility_level = 0\n", smtpd, text + level},
        {"compatibility_level = 0\n", smtpd + "587 inet n - n - - smtpd\n", text + level},
        {"compatibility_level = 0\n", "showq unix n - n - - showq\n", ""},
        {"compatibility_level = 0\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n", smtpd, ""},
        {"smtpd_relay_restrictions = permit_mynetworks\n", smtpd, "main.cf, line 2: " + text},
        {"smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit, reject\n", smtpd, "main.cf, line 2: " + text},
        {"smtpd_relay_restrictions = warn_if_reject reject_unauth_destination\n", smtpd, "main.cf, line 2: " + text},
        {"smtpd_relay_restrictions = check_client_access hash:/x, { reject_unauth_destination }\n", smtpd, ""},
        {"smtpd_restriction_classes = strict, open\nstrict = open, reject\nopen = permit_mynetworks\nsmtpd_relay_restrictions = strict\n", smtpd, ""},
        {"smtpd_restriction_classes = open\nopen = permit_mynetworks\nsmtpd_relay_restrictions = open\n", smtpd, "main.cf, line 4: " + text},
        {"", smtpd + "587 inet n - n - - smtpd\n  -o smtpd_relay_restrictions=permit_mynetworks\n", "master.cf: line 3: " + text},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.lines + row.master);
        const auto problems = problems_of(row.lines, row.master);
        if (row.want.empty()) EXPECT_EQ(problems, std::vector<std::string>());
        else EXPECT_EQ(problems, std::vector{row.want});
    }
}

TEST(SettingsProblems, HintsForArgumentsThatCannotBeRead)
{
    using Texts = std::vector<std::string>;
    const std::string head = "main.cf, line 2: smtpd_recipient_restrictions: ";
    struct {
        const char* restrictions;
        const char* want;      // "" = nothing
    } rows[] = {
        {"permit_mynetworks, reject_rbl_client zen.example.org=127.0.0.[2..11], check_client_access hash:/x, check_policy_service inet:[::1]:10023",
         ""},
        {"check_client_access", "restriction check_client_access: bad argument \"\": need maptype:mapname"},
        {"check_sender_access /etc/postfix/sender",
         "restriction check_sender_access: bad argument \"/etc/postfix/sender\": need maptype:mapname"},
        {"reject_rbl_client", "restriction reject_rbl_client requires domain name argument"},
        {"reject_rbl_client a.test=127.0.0", "restriction reject_rbl_client: bad address pattern \"127.0.0\""},
        {"check_policy_service inet:127.0.0.1",
         "restriction check_policy_service: bad server \"inet:127.0.0.1\": need inet:host:port"},
        {"reject_rbl_client, permit_mynetworks",
         "restriction reject_rbl_client requires domain name argument: \"permit_mynetworks\" is the next restriction"},
        {"check_policy_service private/policy",
         "restriction check_policy_service: bad server \"private/policy\": need inet:host:port or unix:path"},
        {"check_policy_service { unix:private/policy, timeout=never }",
         "restriction check_policy_service: bad attribute \"timeout=never\""},
        {"check_ccert_access { hash:/x, { search_order = nose } }",
         "restriction check_ccert_access: bad argument \"{ hash:/x, { search_order = nose } }\": search_order knows cert_fingerprint and pubkey_fingerprint"},
        {"reject_rbl_client list.dsbl.org", "reject_rbl_client list.dsbl.org: it ended in 2008: remove it"},
        {"reject_rbl_client spamcop.net", "reject_rbl_client spamcop.net: that is no list: the list is bl.spamcop.net"},
        {"reject_rbl_client bl.spamcop.net, reject_rbl_client notsorbs.net", ""},
        {"reject_rhsbl_client rhsbl.AHBL.org=127.0.0.2",
         "reject_rhsbl_client rhsbl.AHBL.org=127.0.0.2: it ended in 2015 and listed everybody then: remove it"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.restrictions);
        EXPECT_EQ(problems_of("smtpd_recipient_restrictions = " + std::string(row.restrictions) + "\n", {}, true),
                  *row.want ? Texts{head + row.want} : Texts());
    }
}

TEST(SettingsProblems, NetworksThatCannotBeRead)
{
    using Texts = std::vector<std::string>;
    EXPECT_EQ(
        problems_of("mynetworks = 127.0.0.0/8, [::1]/128,\n  !10.1.0.0/8\n", {}, true),
        Texts{
            "main.cf, line 3: mynetworks: non-null host address bits in \"10.1.0.0/8\", perhaps you should use \"10.0.0.0/8\" instead"});
    EXPECT_EQ(problems_of("mynetworks = 192.0.2.1 cidr:/etc/x /etc/y a.test\n", {}, true), Texts{});
}

TEST(SettingsProblems, ZonesOfPostscreenThatAreClosed)
{
    EXPECT_EQ(
        problems_of("postscreen_dnsbl_sites = zen.spamhaus.org*3,\n  dnsbl.sorbs.net=127.0.0.[2;6]*2\n", {}, true),
        std::vector<std::string>{
            "main.cf, line 3: postscreen_dnsbl_sites: dnsbl.sorbs.net=127.0.0.[2;6]*2: it ended in June 2024: remove it"});
}

}  // namespace
}  // namespace ekiden::check
