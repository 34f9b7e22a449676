#include "check/table_actions.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;
using Texts = std::vector<std::string>;

class Site {
public:
    void write(const std::string& name, const std::string& text) const
    {
        std::ofstream(world_.directory() + "/" + name) << text;
    }
    // What is said of main.cf with these lines (@ is its folder) and of this master.cf.
    Texts ask(std::string lines, const std::string& master = "") const
    {
        const std::string folder = world_.directory();
        lines = "compatibility_level = 3.6\n" + lines;
        for (std::size_t at; (at = lines.find('@')) != std::string::npos;) lines.replace(at, 1, folder);
        std::string services = master;
        for (std::size_t at; (at = services.find('@')) != std::string::npos;) services.replace(at, 1, folder);
        write("main.cf", lines);
        write("master.cf", services);
        config::LoadOptions options;
        options.directory = folder;
        Texts said;
        for (const config::Problem& problem : find_table_actions(*config::Settings::load(options))) {
            EXPECT_EQ(problem.level, config::Problem::Level::warning);
            std::string line = problem.text;
            for (std::size_t at; (at = line.find(folder)) != std::string::npos;) line.replace(at, folder.size(), "@");
            EXPECT_TRUE(line.ends_with(problem.advice)) << line;
            said.push_back(std::move(line));
        }
        return said;
    }

private:
    World world_{""};
};

// Everything that access(5) knows, old forms included.
TEST(TableActions, WhatIsRightIsNotNamed)
{
    const Site site;
    site.write(
        "good",
        "a OK\nb RELAY\nc REJECT\nd reject 5.7.1 no\ne DEFER\nf DEFER_IF_REJECT later\ng Defer_If_Permit\nh DISCARD x\n"
        "i DUNNO\nj FILTER smtp:[127.0.0.1]:10025\nk HOLD spam\nl INFO x\nm PREPEND X-A: b\nn REDIRECT a@b.test\n"
        "o BCC a@b.test\np WARN x\nq 12345\nr 550 no\ns 450\nt permit_mynetworks, reject\nu reject_unauth_destination\n"
        "v strict\nw reject_rbl_client zen.example.org\nx 521 4.7.1 x\ny { reject_rhsbl_sender a.test }, permit\n"
        "z check_relay_domains\n");
    EXPECT_EQ(site.ask("smtpd_restriction_classes = strict\nstrict = reject\n"
                       "smtpd_sender_restrictions = check_sender_access hash:@/good\n"
                       "smtpd_recipient_restrictions = reject_unauth_destination, texthash:@/good\n"
                       "smtpd_policy_service_default_action = 451 4.3.5 Server configuration problem\n"),
              Texts{});
    site.write("heads",
               "/a/ REJECT\n/b/ reject no\n/c/ WARN\n/d/ INFO x\n/e/ IGNORE\n/f/ DISCARD\n/g/ HOLD\n/h/ FILTER smtp:x\n"
               "/i/ REDIRECT a@b.test\n/j/ BCC a@b.test\n/k/ PREPEND X-A: $1\n/l/ REPLACE Subject: x\n/m/ PASS\n"
               "/n/ DUNNO\n/o/ OK\n/(p)/ $1\n/(q)/ REPLACE $1\n/r/ STRIP\nif /x/\nendif\n");
    EXPECT_EQ(site.ask("header_checks = pcre:@/heads\n"), Texts{});
    site.write("sent", "/a/ REPLACE X: y\n/b/ IGNORE\n/c/ PREPEND X: y\n/d/ STRIP\n/e/ WARN\n/f/ INFO\n/g/ DUNNO\n");
    EXPECT_EQ(site.ask("smtp_header_checks = regexp:@/sent\n"), Texts{});
}

TEST(TableActions, SlipsAreNamedWithTheLineOfTheTable)
{
    const Site site;
    site.write(
        "access",
        "a.test OK\n# remark\nb.test REJCT no\nc.test DENY\nd.test FOO bar\ne.test 250 ok\n"
        "f.test REJECT\xe3\x80\x80no\ng.test FILTER\nh.test FILTER smtp\ni.test REDIRECT nobody\nj.test PREPEND X\n");
    EXPECT_EQ(
        site.ask("smtpd_sender_restrictions =\n  check_sender_access hash:@/access\n"
                 "smtpd_client_restrictions = { check_client_access hash:@/access }\n"),
        (Texts{
            "@/access, line 3: smtpd_sender_restrictions: b.test: unknown smtpd restriction: \"REJCT\", answered with "
            "451 4.3.5: is REJECT meant?",
            "@/access, line 4: smtpd_sender_restrictions: c.test: unknown smtpd restriction: \"DENY\", answered with "
            "451 4.3.5: is REJECT meant?",
            "@/access, line 5: smtpd_sender_restrictions: d.test: unknown smtpd restriction: \"FOO\", answered with "
            "451 4.3.5",
            "@/access, line 6: smtpd_sender_restrictions: e.test: unknown smtpd restriction: \"250\", answered with "
            "451 4.3.5: codes of replies are 4NN and 5NN",
            "@/access, line 7: smtpd_sender_restrictions: f.test: unknown smtpd restriction: \"REJECT\xe3\x80\x80no\", "
            "answered with 451 4.3.5: a character that only looks like an ordinary one is part of the word",
            "@/access, line 8: smtpd_sender_restrictions: g.test: has FILTER entry without value",
            "@/access, line 9: smtpd_sender_restrictions: h.test: requires transport:destination",
            "@/access, line 10: smtpd_sender_restrictions: i.test: requires user@domain target",
            "@/access, line 11: smtpd_sender_restrictions: j.test: requires header: text",
        }));
    site.write(
        "rules",
        "/a/ check_client_access hash:/x\n/b/ ERROR:550 no\n/(c)/ $1 x\n/(d)/ PREPEND $1\n/(e)/ permit_mynetwork $1\n");
    EXPECT_EQ(
        site.ask("smtpd_recipient_restrictions = reject_unauth_destination, check_recipient_access pcre:@/rules\n"),
        (Texts{
            "@/rules, line 1: smtpd_recipient_restrictions: /a/: \"check_client_access hash:/x\" is taken for a lookup "
            "table, which must be named in main.cf, answered with 451 4.3.5: write it into a class of "
            "smtpd_restriction_classes, and name the class here",
            "@/rules, line 2: smtpd_recipient_restrictions: /b/: \"ERROR:550 no\" is taken for a lookup table, which "
            "must be named in main.cf, answered with 451 4.3.5: is REJECT meant?",
            "@/rules, line 5: smtpd_recipient_restrictions: /(e)/: unknown smtpd restriction: \"permit_mynetwork\", "
            "answered with 451 4.3.5: is permit_mynetworks meant?",
        }));
}

TEST(TableActions, EntriesOfMainCfAndMasterCfAreNamedThere)
{
    const Site site;
    EXPECT_EQ(
        site.ask(
            "smtpd_client_restrictions =\n  check_client_access\n  inline:{a=OKAY},\n  check_helo_access static:BLOCK\n"
            "smtpd_policy_service_default_action = DUNO\n"),
        (Texts{"@/main.cf, line 4: smtpd_client_restrictions: a: unknown smtpd restriction: \"OKAY\", answered with "
               "451 4.3.5: is OK meant?",
               "@/main.cf, line 5: smtpd_client_restrictions: static:BLOCK: unknown smtpd restriction: \"BLOCK\", "
               "answered with 451 4.3.5: is REJECT meant?",
               "@/main.cf, line 6: smtpd_policy_service_default_action = DUNO: unknown smtpd restriction: \"DUNO\", "
               "answered with 451 4.3.5: is DUNNO meant?"}));
    EXPECT_EQ(site.ask("", "587 inet n - n - - smtpd\n  -o smtpd_tls_auth_only=yes\n"
                           "  -o smtpd_helo_restrictions=check_helo_access,inline:{a=REJECTT}\n"
                           "clean unix n - n - 0 cleanup\n  -o { header_checks = pcre:{{/x/ DELETE}} }\n"),
              (Texts{"@/master.cf: line 3: smtpd_helo_restrictions: a: unknown smtpd restriction: \"REJECTT\", "
                     "answered with 451 4.3.5: is REJECT meant?",
                     "@/master.cf: line 5: header_checks: /x/: unknown command in header_checks map: DELETE, so "
                     "nothing is done: is DISCARD meant?"}));
}

TEST(TableActions, CommandsOfContentRulesAreReadAsTheServerReadsThem)
{
    const Site site;
    site.write("heads", "/a/ REJET no\n/b/ REDIRECT nobody\n/c/ FILTER\n/d/ REPLACE no header\n/e/ 550 no\n");
    EXPECT_EQ(
        site.ask("header_checks = regexp:@/heads\n"),
        (Texts{
            "@/heads, line 1: header_checks: /a/: unknown command in header_checks map: REJET no, so nothing is done: "
            "is REJECT meant?",
            "@/heads, line 2: header_checks: /b/: bad REDIRECT target \"nobody\" in header_checks map -- need "
            "user@domain, so nothing is done",
            "@/heads, line 3: header_checks: /c/: missing FILTER command argument in header_checks map, so nothing is "
            "done",
            "@/heads, line 4: header_checks: /d/: bad REPLACE header text \"no header\" in header_checks map -- need "
            "\"headername: headervalue\", so nothing is done",
            "@/heads, line 5: header_checks: /e/: unknown command in header_checks map: 550 no, so nothing is done"}));
    EXPECT_EQ(site.ask("milter_header_checks = regexp:@/heads\n").size(), 5u);
    site.write("sent", "/a/ REJECT\n/b/ IGNOR\n");
    EXPECT_EQ(site.ask("smtp_body_checks = regexp:@/sent\n"),
              (Texts{"@/sent, line 1: smtp_body_checks: /a/: unsupported command in smtp_body_checks map: REJECT, so "
                     "nothing is done",
                     "@/sent, line 2: smtp_body_checks: /b/: unsupported command in smtp_body_checks map: IGNOR, so "
                     "nothing is done: is IGNORE meant?"}));
}

TEST(TableActions, ManySlipsOfOneTableAreCounted)
{
    const Site site;
    std::string text;
    for (int i = 0; i < 25; ++i) text += "k" + std::to_string(i) + " NOSUCHWORD\n";
    site.write("many", text);
    const Texts said = site.ask("smtpd_sender_restrictions = check_sender_access texthash:@/many\n");
    ASSERT_EQ(said.size(), 11u);
    EXPECT_EQ(said.back(), "@/main.cf, line 2: smtpd_sender_restrictions: 15 more such entries in texthash:@/many");
}

} // namespace
} // namespace ekiden::check
