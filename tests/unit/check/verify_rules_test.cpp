// reject_unverified_*: what is said when the answer is known, when it is not, and when nobody can tell.
#include "support/memory_store.hpp"
#include "unit/check/world.hpp"
#include "verify/verifier.hpp"

namespace ekiden::check::test {
namespace {

using verify::Standing;

class VerifyRules : public testing::Test {
protected:
    void start(const std::string& lines)
    {
        world.emplace("smtpd_recipient_restrictions = reject_unauth_destination, " + lines +
                      "address_verify_map =\naddress_verify_poll_count = 1\n");
        verifier = std::make_shared<verify::Verifier>(loop.get_executor(), pool);
        verifier->use(world->settings, rewrite::Intake::make(world->settings, world->resolver, store));
        world->policy = Policy::make(world->settings, world->resolver, world->dns, Logger("postfix/smtpd"), verifier);
        (void)verifier->ask("warm@up.test");
        base::flush_log();
        world->log.clear();
    }
    std::string rcpt(const std::string& sender, const std::string& recipient)
    {
        return world->rcpt(World::facts("127.0.0.2", sender, recipient));
    }

    ekiden::test::MemoryStore store;
    net::BlockingPool pool{1};
    asio::io_context loop{1};
    std::optional<World> world;
    std::shared_ptr<verify::Verifier> verifier;
};

TEST_F(VerifyRules, senders)
{
    start("reject_unverified_sender\n");
    EXPECT_EQ(
        rcpt("new@far.test", "user1@golden.test"),
        "450 4.1.7 <new@far.test>: Sender address rejected: unverified address: Address verification in progress");
    verifier->learn("good@far.test", Standing::deliverable, "250 ok");
    verifier->learn("perm@far.test", Standing::undeliverable, "host mx said: 550 5.1.1 No such user here");
    verifier->learn("tmp@far.test", Standing::deferred, "host mx said: 450 4.2.1 later");
    EXPECT_EQ(rcpt("good@far.test", "user1@golden.test"), "");
    EXPECT_EQ(rcpt("", "user1@golden.test"), "") << "the null sender is nobody's address";
    EXPECT_EQ(
        rcpt("perm@far.test", "user1@golden.test"),
        "450 4.1.7 <perm@far.test>: Sender address rejected: unverified address: host mx said: 550 5.1.1 No such user here");
    EXPECT_EQ(rcpt("tmp@far.test", "user1@golden.test"),
              "450 4.1.7 <tmp@far.test>: Sender address rejected: unverified address: host mx said: 450 4.2.1 later");
}

TEST_F(VerifyRules, recipients_refused_for_good_are_undeliverable)
{
    start("reject_unverified_recipient\nunverified_recipient_reject_code = 550\nlocal_recipient_maps =\n");
    verifier->learn("nosuch@golden.test", Standing::undeliverable, "unknown user: \"nosuch\"");
    EXPECT_EQ(
        rcpt("a@far.test", "nosuch@golden.test"),
        "550 5.1.1 <nosuch@golden.test>: Recipient address rejected: undeliverable address: unknown user: \"nosuch\"");
    verifier->learn("tmp@golden.test", Standing::deferred, "Connection refused");
    EXPECT_EQ(rcpt("a@far.test", "tmp@golden.test"),
              "450 4.1.1 <tmp@golden.test>: Recipient address rejected: unverified address: Connection refused");
    verifier->learn("user1@golden.test", Standing::deliverable, "delivers to maildir");
    EXPECT_EQ(rcpt("a@far.test", "user1@golden.test"), "");
}

TEST_F(VerifyRules, the_site_chooses_codes_and_words)
{
    start(
        "reject_unverified_sender\nunverified_sender_reject_code = 521\nunverified_sender_defer_code = 250\nunverified_sender_reject_reason = Go away\n");
    verifier->learn("perm@far.test", Standing::undeliverable, "secret details");
    verifier->learn("tmp@far.test", Standing::deferred, "secret details");
    EXPECT_EQ(rcpt("perm@far.test", "user1@golden.test"),
              "521 5.1.7 <perm@far.test>: Sender address rejected: undeliverable address: Go away");
    EXPECT_EQ(rcpt("tmp@far.test", "user1@golden.test"), "");
    EXPECT_EQ(rcpt("new@far.test", "user1@golden.test"), "");
}

TEST_F(VerifyRules, what_fails_for_now_defers_if_nothing_else_refuses)
{
    start("reject_unverified_sender, reject_non_fqdn_recipient, check_client_access inline:{127.0.0.2=REJECT}\n");
    EXPECT_TRUE(rcpt("new@far.test", "user1@golden.test").starts_with("554 5.7.1 "))
        << "a refusal for good behind it counts";
    start(
        "reject_unverified_sender, check_client_access inline:{127.0.0.2=REJECT}\nunverified_sender_tempfail_action = defer\n");
    EXPECT_TRUE(rcpt("new@far.test", "user1@golden.test").starts_with("450 4.1.7 ")) << "deferred at once";
}

TEST_F(VerifyRules, mail_to_the_sender_of_probes_is_never_asked_about)
{
    start("reject_unverified_sender, reject_unverified_recipient\n");
    EXPECT_EQ(rcpt("double-bounce@far.test", "double-bounce@mail.golden.test"), "");
    EXPECT_FALSE(rcpt("double-bounce@far.test", "user1@golden.test").empty());
}

TEST_F(VerifyRules, a_warning_refuses_nobody)
{
    start("warn_if_reject reject_unverified_sender\n");
    verifier->learn("perm@far.test", Standing::undeliverable, "no");
    EXPECT_EQ(rcpt("perm@far.test", "user1@golden.test"), "");
    bool is_told = false;
    for (const auto& line : world->log)
        is_told = is_told || line.find("reject_warning: RCPT from") != std::string::npos;
    EXPECT_TRUE(is_told);
}

TEST_F(VerifyRules, without_a_verifier_one_comes_back_later)
{
    World alone("smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_sender\n");
    EXPECT_TRUE(alone.rcpt(World::facts())
                    .starts_with("450 4.1.7 <sender@remote.test>: Sender address rejected: unverified address: "));
}

}  // namespace
}  // namespace ekiden::check::test
