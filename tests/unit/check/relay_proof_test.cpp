#include "check/relay_proof.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

// "VERDICT PARAMETER LINE: TEXT" of the first service, the directory left out.
struct Proof {
    World world{""};
    std::vector<RelayProof> proofs;

    explicit Proof(const std::string& lines, const std::string& master = "25 inet n - n - - smtpd\n",
                   const std::string& table = {})
    {
        std::ofstream(path("main.cf")) << "compatibility_level = 3.6\nmynetworks = 127.0.0.0/8\n" << lines;
        std::ofstream(path("master.cf")) << master;
        std::ofstream(path("table")) << table;
        config::LoadOptions options;
        options.directory = world.directory();
        proofs = prove_relay_control(*config::Settings::load(options));
    }
    std::string path(const std::string& name) { return world.directory() + "/" + name; }
    std::string plain(std::string text)
    {
        for (auto at = text.find(world.directory()); at != std::string::npos; at = text.find(world.directory()))
            text.replace(at, world.directory().size() + 1, "");
        return text;
    }
    std::string said(std::size_t which = 0)
    {
        if (which >= proofs.size()) return "nothing";
        return plain(std::string(word_of(proofs[which].verdict)) + " " + proofs[which].reason);
    }
};

TEST(RelayProof, ListsAreCarriedOutForAStranger)
{
    const std::string closed = "closed smtpd_relay_restrictions, main.cf, line ";
    struct {
        const char* lines;
        std::string want;
    } rows[] = {
        {"", "closed smtpd_relay_restrictions: defer_unauth_destination refuses destinations that are not ours"},
        {"smtpd_relay_restrictions =\n  permit_mynetworks\n  permit_sasl_authenticated\n  reject_unauth_destination\n",
         closed + "6: reject_unauth_destination refuses destinations that are not ours"},
        // The words are all there, but what stands before them lets everybody pass.
        {"smtpd_relay_restrictions = permit_mynetworks,\n  check_sender_access static:OK,\n  reject_unauth_destination\n",
         "open smtpd_relay_restrictions, main.cf, line 4: check_sender_access static:OK: answers OK for somebody@stranger.example, so for everybody"},
        {"smtpd_relay_restrictions = check_client_access static:OK, reject_unauth_destination\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n",
         "closed smtpd_recipient_restrictions, main.cf, line 4: reject_unauth_destination refuses destinations that are not ours"},
        {"smtpd_relay_restrictions = { permit_naked_ip_address } reject_unauth_destination\n",
         "open smtpd_relay_restrictions, main.cf, line 3: permit_naked_ip_address: lets everybody pass who says HELO with an address"},
        {"smtpd_restriction_classes = c\nc = check_policy_service inet:127.0.0.1:1\nsmtpd_relay_restrictions = c,\n reject\n",
         "depends smtpd_relay_restrictions, main.cf, line 4: check_policy_service inet:127.0.0.1:1: whoever the policy server answers OK"},
        {"smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\n",
         "depends smtpd_relay_restrictions, main.cf, line 3: permit_mx_backup: whoever names this host as a mail exchanger of his domain gets its mail relayed"},
        {"smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\npermit_mx_backup_networks = 192.0.2.0/24\n",
         closed + "3: reject_unauth_destination refuses destinations that are not ours"},
        {"smtpd_relay_restrictions = warn_if_reject reject, permit_dnswl_client list.test, defer_unauth_destination\n",
         "depends smtpd_relay_restrictions, main.cf, line 3: permit_dnswl_client list.test: whoever is in that DNS list passes"},
        {"smtpd_client_restrictions = permit_mynetworks, reject\nsmtpd_relay_restrictions = check_policy_service inet:127.0.0.1:1, reject_unauth_destination\n",
         "closed smtpd_client_restrictions, main.cf, line 3: reject refuses everybody who came so far"},
        // Who sends no HELO is not asked.
        {"smtpd_helo_restrictions = reject\nsmtpd_relay_restrictions = check_policy_service inet:127.0.0.1:1, reject_unauth_destination\n",
         "depends smtpd_relay_restrictions, main.cf, line 4: check_policy_service inet:127.0.0.1:1: whoever the policy server answers OK"},
        // Before RCPT nobody knows the recipient.
        {"smtpd_delay_reject = no\nsmtpd_client_restrictions = reject_unauth_destination\nsmtpd_relay_restrictions = check_policy_service inet:127.0.0.1:1, reject_unauth_destination\n",
         "depends smtpd_relay_restrictions, main.cf, line 5: check_policy_service inet:127.0.0.1:1: whoever the policy server answers OK"},
        {"smtpd_upstream_proxy_protocol = haproxy\n",
         "depends smtpd_upstream_proxy_protocol, main.cf, line 3: whoever reaches this port directly, and not through the proxy, may claim any client address"},
        {"smtpd_authorized_xclient_hosts = 127.0.0.0/8, 0.0.0.0/0\n",
         "depends smtpd_authorized_xclient_hosts, main.cf, line 3: clients in 0.0.0.0/0 may claim any client address and login"},
        {"relay_domains = static:all\n",
         "open relay_domains, main.cf, line 3: static:all makes every domain one of ours"},
        {"smtpd_relay_restrictions = permit_tls_all_clientcerts, reject_unauth_destination\nsmtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n",
         "depends smtpd_relay_restrictions, main.cf, line 3: permit_tls_all_clientcerts: whoever has a certificate of a trusted authority, and public ones give it to everybody"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.lines);
        EXPECT_EQ(Proof(row.lines).said(), row.want);
    }
}

TEST(RelayProof, NetworksAreJudgedByTheirSize)
{
    const std::string closed =
        "closed smtpd_relay_restrictions: defer_unauth_destination refuses destinations that are not ours";
    const std::string head = " smtpd_relay_restrictions, main.cf, line 3: ";
    struct {
        const char* lines;
        std::string want;
    } rows[] = {
        {"mynetworks = 10.0.0.0/8, 192.0.2.0/24 [2001:db8::]/32\n", closed},
        {"mynetworks = 127.0.0.1/8\n", closed},     // which matches nobody
        {"mynetworks = 127.0.0.0/8, 0.0.0.0/0\n", "open" + head + "permit_mynetworks: mynetworks = 0.0.0.0/0 is everybody"},
        {"mynetworks = [::]/0\n", "open" + head + "permit_mynetworks: mynetworks = [::]/0 is everybody"},
        {"mynetworks = 127.0.0.0/8,\n 8.0.0.0/8\n", "depends smtpd_relay_restrictions, main.cf, line 4: mynetworks has 8.0.0.0/8, which is larger than a site's own network"},
        {"mynetworks = tcp:127.0.0.1:1\n", "depends" + head + "mynetworks: the networks in tcp:127.0.0.1:1"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.lines);
        EXPECT_EQ(Proof(row.lines).said(), row.want);
    }
}

TEST(RelayProof, TablesAreRead)
{
    const std::string
        open = "open smtpd_relay_restrictions, main.cf, line 3: ",
        depends = "depends smtpd_relay_restrictions, ",
        closed =
            "closed smtpd_relay_restrictions, main.cf, line 3: reject_unauth_destination refuses destinations that are not ours";
    struct {
        const char *restriction, *table;
        std::string want;
    } rows[] = {
        {"check_client_access cidr:", "192.0.2.0/24 OK\n10.0.0.0/8 REJECT\n", closed},
        {"check_client_access cidr:", "0.0.0.0/0 OK\n",
         open + "check_client_access cidr:table: answers OK for 1.2.3.4, so for everybody"},
        {"check_client_access cidr:", "11.0.0.0/8 permit\n",
         depends +
             "table, line 1: check_client_access cidr:table: 11.0.0.0/8 permit, which is larger than a site's own network"},
        {"check_client_access regexp:", "# comment\n/^unknown$/ OK\n",
         open + "check_client_access regexp:table: answers OK for unknown, so for everybody"},
        {"check_sender_access texthash:", "a.test REJECT\nb.test DUNNO\n", closed},
        {"check_sender_access texthash:", "a.test REJECT\nb.test OK\n",
         open +
             "check_sender_access texthash:table: answers OK for b.test (table, line 2), and whoever knows that can call himself so"},
        {"check_helo_access texthash:", "friend 200\n",
         open +
             "check_helo_access texthash:table: answers 200 for friend (table, line 1), and whoever knows that can call himself so"},
        {"check_recipient_access texthash:", "partner.test OK\n", closed},
        {"check_recipient_access texthash:", "postmaster@ OK\n",
         depends +
             "table, line 1: check_recipient_access texthash:table: mail to postmaster@ of every domain is relayed"},
        {"check_recipient_access regexp:", "/^postmaster@/ OK\n",
         depends +
             "main.cf, line 3: check_recipient_access regexp:table: mail to postmaster@ of every domain is relayed"},
        {"check_recipient_access regexp:", "/./ OK\n",
         open + "check_recipient_access regexp:table: answers OK for somebody@stranger.example, so for everybody"},
        {"check_recipient_access texthash:", "a.test reject_rbl_client x.test, reject\n", closed},
        // Classes are looked into: what they refuse is refused.
        {"check_sender_access texthash:",
         "a.test strict\nb.test reject_unknown_client_hostname, permit_mynetworks\nc.test strict, permit\n", closed},
        {"check_sender_access texthash:", "a.test lenient\n",
         open +
             "check_sender_access texthash:table: answers lenient for a.test (table, line 1), and whoever knows that can call himself so"},
        {"check_sasl_access static:", "", closed},
        {"check_client_access tcp:127.0.0.1:", "",
         depends + "main.cf, line 3: check_client_access tcp:127.0.0.1:table: whoever the table answers OK"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(std::string(row.restriction) + row.table);
        const std::string table =
            std::string(row.restriction).ends_with("127.0.0.1:") || std::string(row.restriction).ends_with("static:")
                ? "table"
                : "";
        Proof proof("", "25 inet n - n - - smtpd\n", row.table);
        std::ofstream(proof.path("main.cf"))
            << "compatibility_level = 3.6\nmynetworks = 127.0.0.0/8\nsmtpd_relay_restrictions = " << row.restriction
            << (table.empty() ? proof.path("table") : table)
            << ", reject_unauth_destination\nsmtpd_restriction_classes = strict, lenient\nstrict = reject\nlenient = sleep 1, permit\n";
        config::LoadOptions options;
        options.directory = proof.world.directory();
        proof.proofs = prove_relay_control(*config::Settings::load(options));
        EXPECT_EQ(proof.said(), row.want);
    }
}

TEST(RelayProof, EachServiceHasItsOwn)
{
    Proof proof(
        "",
        "25 inet n - n - - smtpd\n587 inet n - n - - smtpd\n  -o smtpd_relay_restrictions=check_client_access,static:OK,reject\nsmtp unix - - n - - smtp\n");
    ASSERT_EQ(proof.proofs.size(), 2u);
    EXPECT_EQ(proof.proofs[0].verdict, RelayProof::Verdict::closed);
    EXPECT_EQ(
        proof.said(1),
        "open smtpd_relay_restrictions, master.cf, line 3: check_client_access static:OK: answers OK for unknown, so for everybody");
    const auto problems = find_relay_problems(proof.proofs);
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].level, config::Problem::Level::warning);
    EXPECT_EQ(
        proof.plain(problems[0].text),
        "master.cf: line 2: service 587 inet is an OPEN RELAY through smtpd_relay_restrictions, master.cf, line 3: check_client_access static:OK: answers OK "
        "for unknown, so for everybody: move it behind reject_unauth_destination");
    EXPECT_TRUE(problems[0].harms_others);
    EXPECT_FALSE(proof.proofs[0].steps.empty());
}

// The start refuses what has no refusal at all, and says so itself.
TEST(RelayProof, WhatTheStartRefusesIsLeftToIt)
{
    EXPECT_EQ(Proof("smtpd_relay_restrictions = permit\n").said(), "nothing");
}

}  // namespace
}  // namespace ekiden::check
