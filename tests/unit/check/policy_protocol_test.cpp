#include "check/policy_protocol.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

std::string request_for(const Facts& facts, Stage stage = Stage::rcpt)
{
    Policy::Data data;
    data.options.compatibility_level = "3.6";
    data.options.mail_version = "3.11.6";
    Evaluation evaluation(data, facts, stage);
    return format_policy_request(evaluation, "here");
}

TEST(PolicyProtocol, RequestAsPostfixSendsIt)
{
    Facts facts = World::facts();
    facts.client_port = 35221;
    facts.server_address = *net::parse_address("127.0.0.1");
    facts.server_port = 2525;
    facts.instance = "79.6b027f46.4980.0";
    facts.message_size = 500;
    EXPECT_EQ(
        request_for(facts),
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=127.0.0.2\nclient_name=client2.remote.test\n"
        "client_port=35221\nreverse_client_name=client2.remote.test\nserver_address=127.0.0.1\nserver_port=2525\nhelo_name=client2.remote.test\n"
        "sender=sender@remote.test\nrecipient=user1@golden.test\nrecipient_count=0\nqueue_id=\ninstance=79.6b027f46.4980.0\nsize=500\netrn_domain=\n"
        "stress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
        "encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\npolicy_context=here\ncompatibility_level=3.6\nmail_version=3.11.6\n\n");
}

TEST(PolicyProtocol, RequestTellsOfTlsAndLogin)
{
    Facts facts = World::facts();
    facts.sasl_method = "PLAIN";
    facts.sasl_username = "test@golden.test";
    facts.tls_protocol = "TLSv1.3";
    facts.tls_cipher = "TLS_AES_256_GCM_SHA384";
    facts.tls_cipher_bits = 256;
    facts.ccert_subject = "Wietse Venema+=\xc3\xa9";
    facts.ccert_issuer = "CA";
    facts.ccert_fingerprint = "AA:BB";
    facts.ccert_pubkey_fingerprint = "CC:DD";
    std::string request = request_for(facts);
    EXPECT_NE(
        request.find("\nsasl_method=PLAIN\nsasl_username=test@golden.test\nsasl_sender=\n"
                     "ccert_subject=\nccert_issuer=\nccert_fingerprint=AA:BB\nccert_pubkey_fingerprint=CC:DD\n"
                     "encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\n"),
        std::string::npos)
        << request;
    facts.is_ccert_verified = true;
    request = request_for(facts);
    EXPECT_NE(request.find("\nccert_subject=Wietse+20Venema+2B+3D+C3+A9\nccert_issuer=CA\n"), std::string::npos)
        << request;
}

TEST(PolicyProtocol, RecipientOfTheWholeMessage)
{
    Facts facts = World::facts();
    facts.recipient.clear();
    facts.recipients = {"user1@golden.test"};
    facts.recipient_count = 1;
    EXPECT_NE(request_for(facts, Stage::data).find("\nprotocol_state=DATA\n"), std::string::npos);
    EXPECT_NE(request_for(facts, Stage::data).find("\nrecipient=user1@golden.test\nrecipient_count=1\n"),
              std::string::npos);
    facts.recipients.push_back("user2@golden.test");
    facts.recipient_count = 2;
    EXPECT_NE(request_for(facts, Stage::end_of_data).find("\nrecipient=\nrecipient_count=2\n"), std::string::npos);
}

// Whatever a client says, a certificate holds or a login is called: one attribute stays one line.
TEST(PolicyProtocol, NoAttributeCanBeInjected)
{
    const std::string evil("x\nsasl_username=root\r\n\n\0y", 25);
    Facts facts = World::facts();
    facts.client_name = facts.reverse_client_name = facts.helo_name = facts.sender = facts.recipient =
        facts.sasl_username = facts.sasl_sender = facts.sasl_method = facts.etrn_domain = facts.instance =
            facts.protocol = facts.command = facts.queue_id = facts.tls_cipher = facts.tls_protocol =
                facts.ccert_subject = facts.ccert_issuer = facts.ccert_fingerprint = facts.ccert_pubkey_fingerprint =
                    evil;
    facts.is_ccert_verified = true;
    const std::string clean = request_for(World::facts()), request = request_for(facts);
    EXPECT_EQ(std::ranges::count(request, '\n'), std::ranges::count(clean, '\n'));
    EXPECT_EQ(request.find("\n\n"), request.size() - 2);
    EXPECT_EQ(request.find('\0'), std::string::npos);
    EXPECT_EQ(request.find('\r'), std::string::npos);
}

TEST(PolicyProtocol, Reply)
{
    struct {
        std::vector<std::string> lines;
        const char* want;      // null: refused
    } rows[] = {
        {{"action=OK", ""}, "OK"},
        {{"action=  REJECT  no ", ""}, "REJECT  no"},
        {{"x=1", "action=DUNNO", "y", ""}, "DUNNO"},
        {{"action=one", "action=two", ""}, "one"},
        {{"action=", ""}, ""},
        {{"action=PREPEND X: a\rEvil: b\x01", ""}, "PREPEND X: a Evil: b "},
        {{""}, nullptr},
        {{"hello", ""}, nullptr},
        {{"Action=OK", ""}, nullptr},
        {{"action=" + std::string(PolicyReply::longest_line, 'x')}, nullptr},
        {std::vector<std::string>(PolicyReply::most_lines + 1, "x=1"), nullptr},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.lines.front());
        PolicyReply reply;
        Result<bool> fed = false;
        for (const std::string& line : row.lines) {
            ASSERT_TRUE(fed && !*fed);
            fed = reply.feed(line);
            if (!fed) break;
        }
        EXPECT_EQ(fed.has_value(), row.want != nullptr);
        if (row.want && fed) {
            EXPECT_TRUE(*fed);
            EXPECT_EQ(reply.take_action(), row.want);
        }
    }
    PolicyReply cut;
    EXPECT_FALSE(cut.feed("action=OK", true));
}

TEST(PolicyProtocol, Argument)
{
    PolicyServer defaults;
    defaults.default_action = "DEFER";
    auto plain = parse_policy_server("inet:127.0.0.1:2599", defaults);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->default_action, "DEFER");
    EXPECT_EQ(plain->name, "inet:127.0.0.1:2599");
    auto full =
        parse_policy_server("{ unix:private/policy, timeout=10s, default_action=DUNNO, policy_context = submission,\n"
                            " try_limit=1, retry_delay=2m, max_idle=1h, max_ttl=1d, request_limit=7 }",
                            defaults);
    ASSERT_TRUE(full) << full.error().text();
    EXPECT_EQ(full->endpoint, "unix:private/policy");
    EXPECT_EQ(full->timeout.count(), 10);
    EXPECT_EQ(full->retry_delay.count(), 120);
    EXPECT_EQ(full->max_idle.count(), 3600);
    EXPECT_EQ(full->max_ttl.count(), 86400);
    EXPECT_EQ(full->try_limit, 1);
    EXPECT_EQ(full->request_limit, 7);
    EXPECT_EQ(full->default_action, "DUNNO");
    EXPECT_EQ(full->policy_context, "submission");
    auto quoted = parse_policy_server("{inet:[::1]:10031 {default_action = 451 4.3.5 Come, again}}", defaults);
    ASSERT_TRUE(quoted) << quoted.error().text();
    EXPECT_EQ(quoted->endpoint, "inet:[::1]:10031");
    EXPECT_EQ(quoted->default_action, "451 4.3.5 Come, again");
    for (const char* wrong : {"private/policy", "{ inet:x:1, timeout=soon }", "{ inet:x:1, timeout=0 }",
                              "{ inet:x:1, try_limit=0 }", "{ inet:x:1, request_limit=-1 }", "{ inet:x:1, colour=red }",
                              "{ inet:x:1, timeout }", "", "{}", "{ }", "inet:", "unix:"}) {
        SCOPED_TRACE(wrong);
        EXPECT_FALSE(parse_policy_server(wrong, defaults));
    }
}

}  // namespace
}  // namespace ekiden::check
