#include "check/rules.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

std::vector<std::string> questions(const World& world, std::string_view type)
{
    std::vector<std::string> found;
    for (const std::string& question : world.dns.asked) {
        if (question.ends_with(type)) found.push_back(question.substr(0, question.rfind('/')));
    }
    return found;
}

TEST(Blocklists, ReplyLogAndTrouble)
{
    struct {
        const char* restrictions;
        const char* reply;
        const char* log;       // the first line, "" = no line but the refusal
    } rows[] = {
        {"reject_rbl_client rbl.test",
         "554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using rbl.test; Listed, see http://rbl.test/?ip=127.0.0.2",
         ""},
        {"reject_rbl_client notxt.test",
         "554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using notxt.test", ""},
        {"reject_rbl_client nothing.test", "", ""},
        {"reject_rbl_client many.test=127.0.0.[2;4..8]",
         "554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using many.test; many reasons", ""},
        {"reject_rbl_client many.test=127.0.0.[5..9]", "", ""},
        {"reject_rbl_client servfail.test", "",
         "warning: 2.0.0.127.servfail.test: RBL lookup error: Host or domain name not found. Name service error for name=2.0.0.127.servfail.test type=A: Host not found, try again"},
        {"reject_rbl_client closed.test", "",
         "warning: 2.0.0.127.closed.test: RBL lookup error: the list refuses to answer: error code 127.255.255.254 for name=2.0.0.127.closed.test type=A"},
        {"reject_rbl_client closed.test=127.255.255.254", "",
         "warning: 2.0.0.127.closed.test: RBL lookup error: the list refuses to answer: error code 127.255.255.254 for name=2.0.0.127.closed.test type=A"},
        {"permit_dnswl_client rbl.test, reject", "", ""},
        {"permit_dnswl_client closed.test, reject", "450 4.7.1 <127.0.0.2>: Client host rejected: Service unavailable",
         "warning: 2.0.0.127.closed.test: RBL lookup error: the list refuses to answer: error code 127.255.255.254 for name=2.0.0.127.closed.test type=A"},
        {"reject_rhsbl_sender rhsbl.test",
         "554 5.7.1 Service unavailable; Sender address [x@spammer.test] blocked using rhsbl.test; spammer.test is listed",
         ""},
        {"reject_rbl_client many.test=127.0.0", "451 4.3.5 Server configuration error",
         "warning: restriction reject_rbl_client: bad address pattern \"127.0.0\""},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.restrictions);
        World world("smtpd_recipient_restrictions = " + std::string(row.restrictions) + "\n");
        EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "x@spammer.test")), row.reply);
        ASSERT_EQ(world.log.size(), (*row.log ? 1u : 0u) + (*row.reply ? 1u : 0u));
        if (*row.log) {
            EXPECT_EQ(world.log[0], row.log);
        }
    }
}

TEST(Blocklists, AllOfAListAreAskedAtOnceButUsedInOrder)
{
    World world(
        "smtpd_restriction_classes = more\nmore = reject_rbl_client c.test, reject_rhsbl_helo helo.test\n"
        "smtpd_recipient_restrictions = permit_auth_destination_not, reject_rbl_client a.test\n"
        "smtpd_client_restrictions = reject_rbl_client a.test, reject_rbl_client rbl.test=127.0.0.9, check_client_access inline:{x=y}, more,\n"
        " permit_dnswl_client w.test, reject_rhsbl_sender rhsbl.test, reject_rbl_client rbl.test, reject_rbl_client many.test, permit, reject_rbl_client never.test\n");
    EXPECT_EQ(
        world.rcpt(World::facts("127.0.0.2", "x@spammer.test")),
        "554 5.7.1 Service unavailable; Sender address [x@spammer.test] blocked using rhsbl.test; spammer.test is listed");
    // One question for each list, also those behind the one that refused; none twice.
    const std::vector<std::string> want = {
        "2.0.0.127.a.test", "2.0.0.127.rbl.test",      "2.0.0.127.c.test",   "client2.remote.test.helo.test",
        "2.0.0.127.w.test", "spammer.test.rhsbl.test", "2.0.0.127.many.test"};
    EXPECT_EQ(questions(world, "/A"), want);
    EXPECT_EQ(questions(world, "/TXT"), std::vector<std::string>{"spammer.test.rhsbl.test"});
}

TEST(Blocklists, AreNotAskedBeforeTheNameIsKnown)
{
    World world(
        "smtpd_delay_reject = no\nsmtpd_client_restrictions = reject_rbl_client nothing.test, reject_rhsbl_helo h.test, reject_rhsbl_sender s.test, reject_rhsbl_recipient r.test\n");
    Facts facts;
    facts.client_address = *net::parse_address("127.0.0.2");
    world.evaluate(Stage::connect, facts);
    EXPECT_EQ(questions(world, "/A"), std::vector<std::string>{"2.0.0.127.nothing.test"});
}

TEST(Blocklists, ReplyTemplates)
{
    struct {
        const char* what;       // parameters
        const char* reply;
        bool asks_for_text;
    } rows[] = {
        {"default_rbl_reply = $rbl_code 4.7.1 $rbl_class [$rbl_what] $rbl_domain $client $client_address $client_name $reverse_client_name $helo_name\n",
         "554 5.7.1 Client host [127.0.0.2] rbl.test client2.remote.test[127.0.0.2] 127.0.0.2 client2.remote.test client2.remote.test client2.remote.test",
         false},
        {"default_rbl_reply = $rbl_code $sender $sender_domain ${sender_name} $(recipient) $recipient_domain $recipient_name\n",
         "554 5.7.1 sender@remote.test remote.test sender user1@golden.test golden.test user1", false},
        {"default_rbl_reply = 550 5.1.8 no${rbl_reason?{: $rbl_reason}:{.}}\n",
         "550 5.0.0 no: Listed, see http://rbl.test/?ip=127.0.0.2", true},
        {"rbl_reply_maps = inline:{ { rbl.test = 521 4.7.1 go away from $$rbl_domain } }\n",
         "521 5.7.1 go away from rbl.test", false},
        {"rbl_reply_maps = inline:{ { other.test = 521 4.7.1 go away } }\nmaps_rbl_reject_code = 450\n",
         "450 4.7.1 Service unavailable; Client host [127.0.0.2] blocked using rbl.test; Listed, see http://rbl.test/?ip=127.0.0.2",
         true},
        {"default_rbl_reply = no code\n", "450 4.7.1 Service unavailable", false},
        {"rbl_reply_maps = hash:/nonexistent/x\n", "451 4.3.5 Server configuration error", false},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.what);
        World world("smtpd_recipient_restrictions = reject_rbl_client rbl.test\n" + std::string(row.what));
        EXPECT_EQ(world.rcpt(World::facts()), row.reply);
        EXPECT_EQ(questions(world, "/TXT").size(), row.asks_for_text ? 1u : 0u);
    }
}

// What a list's owner writes must not make lines of its own in our replies.
TEST(Blocklists, TextsAreFiltered)
{
    World world("smtpd_recipient_restrictions = reject_rbl_client evil.test\n");
    dns::Record record{};
    record.type = dns::Type::a;
    record.address = *net::parse_address("127.0.0.2");
    world.dns.add("2.0.0.127.evil.test", record);
    record.type = dns::Type::txt;
    record.text = "a\r\n250 ok\0\x01 b\xff";
    world.dns.add("2.0.0.127.evil.test", record);
    const std::string reply = world.rcpt(World::facts());
    EXPECT_TRUE(reply.starts_with("554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using evil.test; a"))
        << reply;
    EXPECT_EQ(reply.find_first_of("\r\n"), std::string::npos);
}

}  // namespace
}  // namespace ekiden::check
