#include "check/access_actions.hpp"
#include "check/rules.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

const char* const table =
    "r1@golden.test REJECT\nr2@golden.test REJECT text here\nr3@golden.test 550 5.7.9 own text\nr4@golden.test 450 try later\n"
    "d1@golden.test DEFER\nd2@golden.test DEFER_IF_PERMIT maybe\nd3@golden.test DEFER_IF_REJECT maybe\nok@golden.test OK\n"
    "user1@golden.test WARN hmm\nuser2@golden.test HOLD look\nalice@golden.test DISCARD gone\nbob@golden.test PREPEND X-Acc: yes\n"
    "carol@golden.test REDIRECT user1@golden.test\nfwd@golden.test FILTER smtp:[127.0.0.25]\nuser@golden.test myclass\ntest@golden.test DUNNO\n"
    "mboxuser@golden.test BCC user1@golden.test\nx1@golden.test INFO noted\nx2@golden.test 12345 permit-all-numeric\nx3@golden.test FOO bar\n"
    "x4@golden.test 521 closing\nx5@golden.test 421 go away\nx6@golden.test REJECT 5.7.7 enh\n";
const char* const config =
    "smtpd_recipient_restrictions = check_recipient_access texthash:@DIR@/acc, reject_unauth_destination\n"
    "smtpd_restriction_classes = myclass\nmyclass = reject_rbl_client rbl.test, permit\n";

TEST(AccessMap, ActionsAnswerAndLog)
{
    struct {
        const char* user;
        const char* reply;
        const char* log;      // between "from name[addr]: " and "; from=", of the first line; "" = nothing is logged
        const char* what;
    } rows[] = {
        {"r1", "554 5.7.1 <r1@golden.test>: Recipient address rejected: Access denied", nullptr, "reject"},
        {"r2", "554 5.7.1 <r2@golden.test>: Recipient address rejected: text here", nullptr, "reject"},
        {"r3", "550 5.7.9 <r3@golden.test>: Recipient address rejected: own text", nullptr, "reject"},
        {"r4", "450 4.7.1 <r4@golden.test>: Recipient address rejected: try later", nullptr, "reject"},
        {"d1", "450 4.7.1 <d1@golden.test>: Recipient address rejected: Access denied", nullptr, "reject"},
        {"d2", "450 4.7.1 <d2@golden.test>: Recipient address rejected: maybe", nullptr, "reject"},
        {"d3", "450 4.7.1 <d3@golden.test>: Recipient address rejected: maybe", nullptr, "reject"},
        {"ok", "550 5.1.1 <ok@golden.test>: Recipient address rejected: User unknown in local recipient table", nullptr, "reject"},
        {"user1", "", "hmm", "warn"},
        {"user2", "", "<user2@golden.test>: Recipient address look", "hold"},
        {"alice", "", "<alice@golden.test>: Recipient address gone", "discard"},
        {"bob", "", "", ""},
        {"carol", "", "<carol@golden.test>: Recipient address triggers REDIRECT user1@golden.test", "redirect"},
        {"fwd", "", "<fwd@golden.test>: Recipient address triggers FILTER smtp:[127.0.0.25]", "filter"},
        {"user", "554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using rbl.test; Listed, see http://rbl.test/?ip=127.0.0.2", nullptr, "reject"},
        {"test", "", "", ""},
        {"mboxuser", "", "<mboxuser@golden.test>: Recipient address triggers BCC user1@golden.test", "bcc"},
        {"x1", "550 5.1.1 <x1@golden.test>: Recipient address rejected: User unknown in local recipient table", "noted", "info"},
        {"x6", "554 5.7.7 <x6@golden.test>: Recipient address rejected: enh", nullptr, "reject"},
        {"x4", "521 5.7.1 <x4@golden.test>: Recipient address rejected: closing", nullptr, "reject"},
        {"x5", "421 4.7.1 <x5@golden.test>: Recipient address rejected: go away", nullptr, "reject"},
    };
    World world(config, {{"acc", table}});
    for (const auto& row : rows) {
        SCOPED_TRACE(row.user);
        world.log.clear();
        const std::string recipient = std::string(row.user) + "@golden.test";
        EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "sender@remote.test", recipient)), row.reply);
        const std::string said = row.log ? row.log : row.reply;
        if (said.empty()) {
            EXPECT_TRUE(world.log.empty());
        } else {
            ASSERT_FALSE(world.log.empty());
            EXPECT_EQ(world.log[0],
                      std::string("NOQUEUE: ") + row.what + ": RCPT from client2.remote.test[127.0.0.2]: " + said +
                          "; from=<sender@remote.test> to=<" + recipient + "> proto=ESMTP helo=<client2.remote.test>");
        }
    }
    for (const char* user : {"x2", "x3"})
        EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "s@remote.test", std::string(user) + "@golden.test")),
                  "451 4.3.5 Server configuration error");
}

TEST(AccessMap, ActionsChangeTheMessage)
{
    World world(config, {{"acc", table}});
    auto verdict = [&](const char* user) {
        return world.evaluate(Stage::rcpt,
                              World::facts("127.0.0.2", "s@remote.test", std::string(user) + "@golden.test"));
    };
    EXPECT_TRUE(verdict("user2").holds);
    EXPECT_TRUE(verdict("alice").discards);
    EXPECT_EQ(verdict("bob").prepend, std::vector<std::string>{"X-Acc: yes"});
    EXPECT_EQ(verdict("carol").redirect, "user1@golden.test");
    EXPECT_EQ(verdict("fwd").filter, "smtp:[127.0.0.25]");
    EXPECT_EQ(verdict("mboxuser").bcc, std::vector<std::string>{"user1@golden.test"});
    EXPECT_TRUE(verdict("x4").must_disconnect);
    EXPECT_TRUE(verdict("x5").must_disconnect);
    EXPECT_FALSE(verdict("r1").must_disconnect);
}

TEST(AccessMap, KeysInDocumentedOrder)
{
    struct {
        const char* restriction;
        const char* entry;
        const char* client;
        const char* sender;
        bool hits;
    } rows[] = {
        {"check_client_access", "127.0.0.2 REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_client_access", "127.0.0 REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_client_access", "127 REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_client_access", "27.0.0.2 REJECT", "127.0.0.2", "s@remote.test", false},
        {"check_client_access", "client2.remote.test REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_client_access", "remote.test REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_client_access", "2001:db8 REJECT", "2001:db8::7", "s@remote.test", true},
        {"check_client_access", "unknown REJECT", "127.0.0.3", "s@remote.test", true},
        {"check_sender_access", "s@remote.test REJECT", "127.0.0.2", "S@Remote.Test", true},
        {"check_sender_access", "s+x@remote.test REJECT", "127.0.0.2", "s+x@remote.test", true},
        {"check_sender_access", "s@remote.test REJECT", "127.0.0.2", "s+x@remote.test", true},
        {"check_sender_access", "test REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_access", "s@ REJECT", "127.0.0.2", "s+x@remote.test", true},
        {"check_sender_access", "<> REJECT", "127.0.0.2", "", true},
        {"check_sender_access", "other@ REJECT", "127.0.0.2", "s@remote.test", false},
        {"check_helo_access", "remote.test REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_mx_access", "mx.remote.test REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_mx_access", "127.0.0.25 REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_a_access", "127.0.0.25 REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_a_access", "mx.remote.test REJECT", "127.0.0.2", "s@remote.test", false},
        {"check_sender_ns_access", "ns1.host.test REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_ns_access", "host.test REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_ns_access", "127.0.0.53 REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_ns_access", "127.0.0 REJECT", "127.0.0.2", "s@remote.test", true},
        {"check_sender_ns_access", "ns1.host.test REJECT", "127.0.0.2", "s@deep.sub.remote.test", true},
        {"check_sender_ns_access", "remote.test REJECT", "127.0.0.2", "s@remote.test", false},
        {"check_sender_ns_access", "127.0.0.9 REJECT", "127.0.0.2", "s@[127.0.0.9]", false},
        {"check_sender_mx_access", "127.0.0.9 REJECT", "127.0.0.2", "s@[127.0.0.9]", true},
        {"check_client_ns_access", "ns1.host.test REJECT", "127.0.0.2", "s@other.test", true},
        {"check_client_ns_access", "ns1.host.test REJECT", "127.0.0.3", "s@other.test", false},
        {"check_reverse_client_hostname_ns_access", "ns1.host.test REJECT", "127.0.0.4", "s@other.test", true},
        {"check_helo_ns_access", "ns1.host.test REJECT", "127.0.0.3", "s@other.test", true},
        {"check_recipient_ns_access", "ns1.host.test REJECT", "127.0.0.3", "s@other.test", false},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(std::string(row.restriction) + " " + row.entry);
        World world("recipient_delimiter = +\nsmtpd_sender_restrictions = " + std::string(row.restriction) +
                        " texthash:@DIR@/acc\n",
                    {{"acc", std::string(row.entry) + "\n"}});
        EXPECT_EQ(world.rcpt(World::facts(row.client, row.sender)).empty(), !row.hits);
    }
}

TEST(AccessMap, StatusCodesFitTheSubject)
{
    struct {
        const char* restriction;
        const char* want;
    } rows[] = {
        {"check_sender_access", "550 5.1.7 <s@remote.test>: Sender address rejected: no"},
        {"check_helo_access", "550 5.0.0 <remote.test>: Helo command rejected: no"},
        {"check_client_access", "550 5.0.0 <client2.remote.test[127.0.0.2]>: Client host rejected: no"},
        {"check_recipient_access", "550 5.1.1 <user1@golden.test>: Recipient address rejected: no"},
    };
    for (const auto& row : rows) {
        World world("smtpd_recipient_restrictions = " + std::string(row.restriction) + " static:{550 5.1.1 no}\n");
        EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "s@remote.test", "user1@golden.test", "remote.test")), row.want);
    }
}

TEST(AccessMap, OddEntriesAreToldOf)
{
    struct {
        const char* value;
        const char* reply;
        std::vector<std::string> log;      // up to "; from="
    } rows[] = {
        {"WARN", "", {"NOQUEUE: warn: RCPT from client2.remote.test[127.0.0.2]: "}},
        {"HOLD",
         "",
         {"NOQUEUE: hold: RCPT from client2.remote.test[127.0.0.2]: <user1@golden.test>: Recipient address triggers HOLD action"}},
        {"DISCARD",
         "",
         {"NOQUEUE: discard: RCPT from client2.remote.test[127.0.0.2]: <user1@golden.test>: Recipient address triggers DISCARD action",
          "NOQUEUE: permit: RCPT from client2.remote.test[127.0.0.2]: action=DISCARD for Recipient address=user1@golden.test from texthash:@DIR@/acc"}},
        {"FILTER",
         "",
         {"warning: access table texthash:@DIR@/acc entry \"user1@golden.test\" has FILTER entry without value"}},
        {"REDIRECT foo",
         "",
         {"warning: access table texthash:@DIR@/acc entry \"user1@golden.test\" requires user@domain target"}},
        {"BCC",
         "",
         {"warning: access table texthash:@DIR@/acc entry \"user1@golden.test\" requires user@domain target"}},
        {"PREPEND foo",
         "",
         {"warning: access table texthash:@DIR@/acc entry \"user1@golden.test\" requires header: text"}},
        {"12345",
         "",
         {"NOQUEUE: permit: RCPT from client2.remote.test[127.0.0.2]: action=12345 for Recipient address=user1@golden.test from texthash:@DIR@/acc"}},
        {"550",
         "",
         {"NOQUEUE: permit: RCPT from client2.remote.test[127.0.0.2]: action=550 for Recipient address=user1@golden.test from texthash:@DIR@/acc"}},
        {"RELAY",
         "",
         {"NOQUEUE: permit: RCPT from client2.remote.test[127.0.0.2]: action=RELAY for Recipient address=user1@golden.test from texthash:@DIR@/acc"}},
        {"DEFER_IF_PERMIT", "450 4.7.1 <user1@golden.test>: Recipient address rejected: Service unavailable", {}},
        {"450 5.1.1 x", "450 4.1.1 <user1@golden.test>: Recipient address rejected: x", {}},
        {"REJECT 4.1.8 x",
         "554 5.1.2 <user1@golden.test>: Recipient address rejected: x",
         {"mapping DSN status 4.1.8 into Recipient address status 4.1.2"}},
        {"reject_plaintext_session", "450 4.7.1 Session encryption is required", {}},
        {"check_client_access inline:{127.0.0.2=REJECT}",
         "451 4.3.5 Server configuration error",
         {"warning: access table texthash:@DIR@/acc has entry with lookup table: check_client_access inline:{127.0.0.2=REJECT}",
          "warning: do not specify lookup tables inside SMTPD access maps",
          "warning: define a restriction class and specify its name instead."}},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.value);
        World world(
            "smtpd_recipient_restrictions = check_recipient_access texthash:@DIR@/acc\nsmtpd_log_access_permit_actions = static:all\n",
            {{"acc", std::string("user1@golden.test ") + row.value + "\n"}});
        EXPECT_EQ(world.rcpt(World::facts()), row.reply);
        ASSERT_GE(world.log.size(), row.log.size());
        for (std::size_t i = 0; i < row.log.size(); ++i) {
            std::string want = row.log[i];
            if (const auto at = want.find("@DIR@"); at != std::string::npos) want.replace(at, 5, world.directory());
            EXPECT_EQ(world.log[i].substr(0, world.log[i].find("; from=")), want);
        }
    }
}

TEST(AccessMap, PatternTablesSeeWholeKeys)
{
    World world("smtpd_sender_restrictions = check_sender_access regexp:@DIR@/acc\n",
                {{"acc", "/^remote\\.test$/ REJECT\n/^s@$/ REJECT\n/^a@remote\\.test$/ REJECT\n"}});
    EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "s@remote.test")), "");
    EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "a@remote.test")),
              "554 5.7.1 <a@remote.test>: Sender address rejected: Access denied");
}

TEST(AccessMap, MissingTableIsLoggedAndDeferred)
{
    World world(
        "smtpd_recipient_restrictions = reject_unauth_destination, check_recipient_access hash:/etc/postfix/nonexistent\n");
    world.rcpt(World::facts());
    const std::vector<std::string> want = {
        "warning: hash:/etc/postfix/nonexistent is unavailable. open database /etc/postfix/nonexistent.db: No such file or directory",
        "warning: hash:/etc/postfix/nonexistent lookup error for \"user1@golden.test\"",
        "NOQUEUE: reject: RCPT from client2.remote.test[127.0.0.2]: 451 4.3.5 <user1@golden.test>: Recipient address rejected: Server configuration error; "
        "from=<sender@remote.test> to=<user1@golden.test> proto=ESMTP helo=<client2.remote.test>"};
    EXPECT_EQ(world.log, want);
}

TEST(AccessMap, HostTablesMayNotPermit)
{
    World world("smtpd_sender_restrictions = check_sender_mx_access static:OK\n");
    EXPECT_EQ(world.rcpt(World::facts()), "451 4.3.5 Server configuration error");
    ASSERT_GE(world.log.size(), 1u);
    EXPECT_EQ(world.log[0], "warning: restriction check_sender_mx_access returns OK for sender@remote.test");
}

TEST(AccessMap, NameServersThatCannotBeFound)
{
    World world("smtpd_sender_restrictions = check_sender_ns_access static:REJECT\n");
    EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "s@a.nowhere.test")), "");
    EXPECT_EQ(world.log,
              std::vector<std::string>{"warning: Unable to look up NS host for s@a.nowhere.test: Host not found"});
    world.log.clear();
    world.dns.fail("broken.test", dns::Type::ns);
    EXPECT_EQ(world.rcpt(World::facts("127.0.0.2", "s@broken.test")), "");
    EXPECT_EQ(world.log, std::vector<std::string>{
                             "warning: Unable to look up NS host for broken.test: Host not found, try again"});
    world.log.clear();
    World found("smtpd_sender_restrictions = check_sender_ns_access inline:{x=REJECT}\n");
    EXPECT_EQ(found.rcpt(World::facts("127.0.0.2", "s@remote.test")), "");
    EXPECT_EQ(
        found.log,
        std::vector<std::string>{
            "warning: Unable to look up NS host ns1.host.test for Sender address s@remote.test: Name or service not known"});
    World ok("smtpd_sender_restrictions = check_sender_ns_access static:OK\n");
    EXPECT_EQ(ok.rcpt(World::facts()), "451 4.3.5 Server configuration error");
}

TEST(AccessMap, SaslLogin)
{
    World world(
        "smtpd_sasl_auth_enable = yes\nsmtpd_recipient_restrictions = check_sasl_access inline:{evil=REJECT nice=HOLD}\n");
    Facts facts = World::facts();
    EXPECT_EQ(world.rcpt(facts), "");
    facts.sasl_username = "evil";
    EXPECT_EQ(world.rcpt(facts), "554 5.7.1 <evil>: SASL login name rejected: Access denied");
    facts.sasl_username = "nice";
    EXPECT_TRUE(world.evaluate(Stage::rcpt, facts).holds);
}

TEST(ParsedAction, Kinds)
{
    using Kind = ParsedAction::Kind;
    struct {
        const char* value;
        Kind kind;
        const char* word;
        const char* text;
    } rows[] = {
        {"OK", Kind::action, "OK", ""},
        {" reject\t go  away ", Kind::action, "reject", "go  away "},
        {"12345", Kind::number, "12345", ""},
        {"550", Kind::number, "550", ""},
        {"550 no", Kind::reply, "550", "no"},
        {"450 4.7.1", Kind::reply, "450", "4.7.1"},
        {"250 yes", Kind::restrictions, "250", "yes"},
        {"650 no", Kind::restrictions, "650", "no"},
        {"55 no", Kind::restrictions, "55", "no"},
        {"hash:/x", Kind::table, "hash:/x", ""},
        {"check_client_access cidr:/x", Kind::table, "check_client_access", "cidr:/x"},
        {"reject_unknown_client_hostname, permit", Kind::restrictions, "reject_unknown_client_hostname,", "permit"},
        {"", Kind::restrictions, "", ""},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.value);
        const ParsedAction parsed = parse_access_action(row.value);
        EXPECT_EQ(parsed.kind, row.kind);
        EXPECT_EQ(parsed.word, row.word);
        EXPECT_EQ(parsed.text, row.text);
    }
}

TEST(ReplyPattern, Grammar)
{
    struct {
        const char* text;
        const char* address;
        int want;     // 1 matches, 0 does not, -1 is no pattern
    } rows[] = {
        {"127.0.0.2", "127.0.0.2", 1}, {"127.0.0.2", "127.0.0.3", 0}, {"127.0.0.[2..11]", "127.0.0.11", 1}, {"127.0.0.[2..11]", "127.0.0.12", 0},
        {"127.0.[0;2].[1;4..6]", "127.0.2.5", 1}, {"127.0.0", "127.0.0.2", -1}, {"127.0.0.256", "127.0.0.2", -1}, {"127.0.0.[3..2]", "127.0.0.2", -1},
        {"127.0.0.[2", "127.0.0.2", -1}, {"127.0.0.2.", "127.0.0.2", -1}, {"", "127.0.0.2", -1},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.text);
        const auto pattern = parse_reply_pattern(row.text);
        EXPECT_EQ(pattern.has_value(), row.want >= 0);
        if (pattern) {
            EXPECT_EQ(pattern->matches(*net::parse_address(row.address)), row.want == 1);
        }
    }
}

}  // namespace
}  // namespace ekiden::check
