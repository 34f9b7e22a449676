#include "check/rules.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

Facts with_certificate(bool is_verified = false)
{
    Facts facts = World::facts("127.0.0.2", "sender@remote.test", "x@other.test");
    facts.is_encrypted = true;
    facts.ccert_subject = "client";
    facts.ccert_fingerprint = "AA:01";
    facts.ccert_pubkey_fingerprint = "BB:02";
    facts.is_ccert_verified = is_verified;
    return facts;
}

TEST(Certificates, PermitRelaying)
{
    const std::string denied = "554 5.7.1 <x@other.test>: Relay access denied";
    struct {
        const char* config;
        bool is_verified, may_relay;
    } rows[] = {
        {"smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\nrelay_clientcerts = inline:{aa:01=x}\n", false, true},
        {"smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\nrelay_clientcerts = inline:{bb:02=x}\n", false, true},
        {"smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\nrelay_clientcerts = inline:{cc:03=x}\n", true, false},
        {"smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\n", true, false},
        {"smtpd_relay_restrictions = permit_tls_all_clientcerts, reject_unauth_destination\n", false, false},
        {"smtpd_relay_restrictions = permit_tls_all_clientcerts, reject_unauth_destination\n", true, true},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.config);
        World world(std::string("smtpd_tls_ask_ccert = yes\n") + row.config);
        EXPECT_EQ(world.rcpt(with_certificate(row.is_verified)), row.may_relay ? "" : denied);
        EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "sender@remote.test", "x@other.test")), denied);
    }
}

TEST(Certificates, AreNotBelievedIfNobodyAsksForThem)
{
    World world(
        "smtpd_relay_restrictions = permit_tls_all_clientcerts, permit_tls_clientcerts, reject_unauth_destination\nrelay_clientcerts = static:yes\n");
    EXPECT_EQ(world.rcpt(with_certificate(true)), "554 5.7.1 <x@other.test>: Relay access denied");
    ASSERT_EQ(world.log.size(), 3u);
    EXPECT_EQ(world.log[0], "warning: permit_tls_all_clientcerts is requested, but \"smtpd_tls_ask_ccert = no\"");
    EXPECT_EQ(world.log[1], "warning: permit_tls_clientcerts is requested, but \"smtpd_tls_ask_ccert = no\"");
    world.rcpt(with_certificate(true));
    EXPECT_EQ(world.log.size(), 6u) << "said each time";
}

TEST(Certificates, BrokenTableDefers)
{
    World world(
        "smtpd_tls_ask_ccert = yes\nsmtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\nrelay_clientcerts = hash:/nonexistent/certs\n");
    EXPECT_EQ(world.rcpt(with_certificate()), "451 4.3.0 <x@other.test>: Temporary lookup failure");
}

TEST(Certificates, AccessTable)
{
    struct {
        const char* argument;
        const char* want;
    } rows[] = {
        {"inline:{aa:01=REJECT}", "554 5.7.1 <client2.remote.test[127.0.0.2]>: Client certificate rejected: Access denied"},
        {"inline:{ { bb:02 = 550 5.7.9 not you } }", "550 5.7.9 <client2.remote.test[127.0.0.2]>: Client certificate rejected: not you"},
        {"inline:{aa:01=DUNNO bb:02=REJECT}", ""},
        {"{ inline:{aa:01=DUNNO bb:02=REJECT}, { search_order = pubkey_fingerprint, cert_fingerprint } }", "554 5.7.1 <client2.remote.test[127.0.0.2]>: Client certificate rejected: Access denied"},
        {"{ inline:{aa:01=REJECT} { search_order = pubkey_fingerprint } }", ""},
        {"{ inline:{aa:01=REJECT}, { search_order = subject } }", "451 4.3.5 Server configuration error"},
        {"{ inline:{aa:01=REJECT}, { colour = red } }", "451 4.3.5 Server configuration error"},
        {"hash:/nonexistent/x", "451 4.3.5 <client2.remote.test[127.0.0.2]>: Client certificate rejected: Server configuration error"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.argument);
        World world("smtpd_tls_ask_ccert = yes\nsmtpd_recipient_restrictions = check_ccert_access " +
                    std::string(row.argument) + "\n");
        Facts facts = with_certificate();
        facts.recipient = "user1@golden.test";
        EXPECT_EQ(world.rcpt(facts), row.want);
    }
    World world("smtpd_tls_ask_ccert = yes\nsmtpd_recipient_restrictions = check_ccert_access static:REJECT\n");
    EXPECT_EQ(world.rcpt(World::facts()), "") << "no certificate, nothing to look up";
    World unasked("smtpd_recipient_restrictions = check_ccert_access static:REJECT\n");
    Facts facts = with_certificate();
    facts.recipient = "user1@golden.test";
    EXPECT_EQ(unasked.rcpt(facts), "");
    ASSERT_FALSE(unasked.log.empty());
    EXPECT_EQ(unasked.log[0], "warning: check_ccert_access is requested, but \"smtpd_tls_ask_ccert = no\"");
}

}  // namespace
}  // namespace ekiden::check
