#include "report/notice.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace ekiden::report {
namespace {

using deliver::Outcome;

// The notifications below are compared with what a real Postfix sent for the same message, byte for byte.
class NoticeTest : public testing::Test {
protected:
    NoticeTest()
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        mail::use_long_queue_ids(false);
        envelope.id = *mail::parse_queue_id("124AA1E2923");
        envelope.arrived_at = WallTime(std::chrono::seconds(1795325844));
        envelope.sender = "user1@golden.test";
        notice.envelope = &envelope;
        notice.outcomes = &outcomes;
        notice.charset = "utf-8";
        notice.from = "Mail Delivery System <MAILER-DAEMON@mail.golden.test>";
        notice.subject = "Undelivered Mail Returned to Sender";
        notice.to = "user1@golden.test";
        notice.myhostname = "mail.golden.test";
        notice.mail_name = "Postfix";
        notice.now = envelope.arrived_at;
        notice.queue_lifetime = std::chrono::days(5);
    }
    std::string id() const { return mail::format(envelope.id); }

    mail::Envelope envelope;
    std::vector<Outcome> outcomes;
    Notice notice;
};

TEST_F(NoticeTest, Failure)
{
    envelope.recipients = {{.address = "perm@ok.test"}, {.address = "x@nx.nosuch.test"}};
    Outcome missing, refused;
    missing.kind = refused.kind = Outcome::Kind::bounced;
    missing.recipient = 1;
    missing.status = {
        "5.4.4", "Host or domain name not found. Name service error for name=nx.nosuch.test type=AAAA: Host not found"};
    refused.relay = "mx.remote.test[127.0.0.25]:2525";
    refused.status = {
        "5.1.1", "host mx.remote.test[127.0.0.25] said: 550 5.1.1 No such user here (in reply to RCPT TO command)"};
    refused.remote_mta = "mx.remote.test";
    refused.diagnostic_type = "smtp";
    refused.diagnostic_text = "550 5.1.1 No such user here";
    outcomes = {missing, refused};
    notice.returns_headers_only = false;
    notice.text = "Words.\n";
    const NoticeText text = format_notice(notice);
    EXPECT_EQ(text.before,
              "Date: Sun, 22 Nov 2026 05:37:24 +0000 (UTC)\n"
              "From: Mail Delivery System <MAILER-DAEMON@mail.golden.test>\n"
              "Subject: Undelivered Mail Returned to Sender\n"
              "To: user1@golden.test\n"
              "Auto-Submitted: auto-replied\n"
              "MIME-Version: 1.0\n"
              "Content-Type: multipart/report; report-type=delivery-status;\n"
              "\tboundary=\"124AA1E2923.1795325844/mail.golden.test\"\n"
              "Content-Transfer-Encoding: 8bit\n"
              "\n"
              "This is a MIME-encapsulated message.\n"
              "\n"
              "--124AA1E2923.1795325844/mail.golden.test\n"
              "Content-Description: Notification\n"
              "Content-Type: text/plain; charset=utf-8\n"
              "Content-Transfer-Encoding: 8bit\n"
              "\n"
              "Words.\n"
              "\n"
              "<x@nx.nosuch.test>: Host or domain name not found. Name service error for\n"
              "    name=nx.nosuch.test type=AAAA: Host not found\n"
              "\n"
              "<perm@ok.test>: host mx.remote.test[127.0.0.25] said: 550 5.1.1 No such user\n"
              "    here (in reply to RCPT TO command)\n"
              "\n"
              "--124AA1E2923.1795325844/mail.golden.test\n"
              "Content-Description: Delivery report\n"
              "Content-Type: message/delivery-status\n"
              "\n"
              "Reporting-MTA: dns; mail.golden.test\n"
              "X-Postfix-Queue-ID: 124AA1E2923\n"
              "X-Postfix-Sender: rfc822; user1@golden.test\n"
              "Arrival-Date: Sun, 22 Nov 2026 05:37:24 +0000 (UTC)\n"
              "\n"
              "Final-Recipient: rfc822; x@nx.nosuch.test\n"
              "Original-Recipient: rfc822;x@nx.nosuch.test\n"
              "Action: failed\n"
              "Status: 5.4.4\n"
              "Diagnostic-Code: X-Postfix; Host or domain name not found. Name service error\n"
              "    for name=nx.nosuch.test type=AAAA: Host not found\n"
              "\n"
              "Final-Recipient: rfc822; perm@ok.test\n"
              "Original-Recipient: rfc822;perm@ok.test\n"
              "Action: failed\n"
              "Status: 5.1.1\n"
              "Remote-MTA: dns; mx.remote.test\n"
              "Diagnostic-Code: smtp; 550 5.1.1 No such user here\n"
              "\n"
              "--124AA1E2923.1795325844/mail.golden.test\n"
              "Content-Description: Undelivered Message\n"
              "Content-Type: message/rfc822\n"
              "Content-Transfer-Encoding: 8bit\n"
              "\n"
              "Return-Path: <user1@golden.test>\n");
    EXPECT_EQ(text.after, "\n--124AA1E2923.1795325844/mail.golden.test--\n");
}

TEST_F(NoticeTest, Delay)
{
    envelope.recipients = {{.address = "x@ok.test"}};
    Outcome waiting;
    waiting.status = {"4.4.1", "connect to 127.0.0.26[127.0.0.26]:2525: Connection refused"};
    outcomes = {waiting};
    notice.kind = NoticeKind::delay;
    const std::string text = format_notice(notice).before;
    EXPECT_NE(text.find("\n<x@ok.test>: connect to 127.0.0.26[127.0.0.26]:2525: Connection refused\n"),
              std::string::npos);
    EXPECT_NE(text.find("Action: delayed\nStatus: 4.4.1\n"
                        "Diagnostic-Code: X-Postfix; connect to 127.0.0.26[127.0.0.26]:2525: Connection\n    refused\n"
                        "Will-Retry-Until: Fri, 27 Nov 2026 05:37:24 +0000 (UTC)\n\n--"), std::string::npos);
    EXPECT_NE(
        text.find(
            "Content-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: 8bit\n\nReturn-Path: <user1@golden.test>\n"),
        std::string::npos);
}

TEST_F(NoticeTest, Success)
{
    envelope.recipients = {{.address = "user2@golden.test"},
                           {.address = "a@helo.test", .dsn_original = "rfc822;given@helo.test"}};
    envelope.dsn_envid = "QQ314159";
    Outcome local, relayed;
    local.kind = relayed.kind = Outcome::Kind::delivered;
    local.relay = "local";
    local.status = {"2.0.0", "delivered to maildir"};
    relayed.recipient = 1;
    relayed.relay = "helo.test[127.0.0.29]:2525";
    relayed.status = {"2.0.0", "250 2.0.0 Ok: queued as FAKE0001"};
    relayed.remote_mta = "helo.test";
    relayed.diagnostic_type = "smtp";
    outcomes = {local, relayed};
    notice.kind = NoticeKind::success;
    const std::string text = format_notice(notice).before;
    EXPECT_NE(
        text.find(
            "\n<user2@golden.test>: delivery via local: delivered to maildir\n\n"
            "<a@helo.test>: delivery via helo.test[127.0.0.29]:2525: 250 2.0.0 Ok: queued as\n    FAKE0001\n\n--"),
        std::string::npos);
    EXPECT_NE(text.find("Reporting-MTA: dns; mail.golden.test\nOriginal-Envelope-Id: QQ314159\nX-Postfix-Queue-ID: "),
              std::string::npos);
    EXPECT_NE(
        text.find(
            "Action: delivered\nStatus: 2.0.0\nDiagnostic-Code: X-Postfix; delivery via local: delivered to maildir\n"),
        std::string::npos);
    EXPECT_NE(
        text.find(
            "Original-Recipient: rfc822;given@helo.test\nAction: relayed\nStatus: 2.0.0\nRemote-MTA: dns; helo.test\n"
            "Diagnostic-Code: smtp; 250 2.0.0 Ok: queued as FAKE0001\n"),
        std::string::npos);
    EXPECT_NE(text.find("Content-Description: Message Headers\nContent-Type: text/rfc822-headers\n"),
              std::string::npos);
}

TEST_F(NoticeTest, StatusOfExpandedRecipient)
{
    envelope.recipients = {{.address = "nosuch@mail.golden.test", .original = "nosuch"}};
    Outcome probed;
    probed.kind = Outcome::Kind::bounced;
    probed.relay = "local";
    probed.action = "undeliverable";
    probed.status = {"5.1.1", "unknown user: \"nosuch\""};
    outcomes = {probed};
    notice.kind = NoticeKind::status;
    notice.original_recipients = {"nosuch@mail.golden.test"};
    const std::string text = format_notice(notice).before;
    EXPECT_NE(
        text.find(
            "\n<nosuch@mail.golden.test> (expanded from <nosuch>): delivery via local: unknown\n    user: \"nosuch\"\n"),
        std::string::npos);
    EXPECT_NE(text.find("Original-Recipient: rfc822;nosuch@mail.golden.test\nAction: undeliverable\nStatus: 5.1.1\n"
                        "Diagnostic-Code: X-Postfix; delivery via local: unknown user: \"nosuch\"\n"),
              std::string::npos);
}

TEST_F(NoticeTest, PostmasterCopyHasNoWords)
{
    envelope.recipients = {{.address = "perm@ok.test"}};
    Outcome refused;
    refused.kind = Outcome::Kind::bounced;
    refused.status = {"5.1.1", "no"};
    outcomes = {refused};
    notice.is_postmaster_copy = true;
    notice.text = "must not appear";
    const std::string text = format_notice(notice).before;
    EXPECT_NE(text.find("Auto-Submitted: auto-generated\n"), std::string::npos);
    EXPECT_NE(text.find("Content-Transfer-Encoding: 8bit\n\n\n<perm@ok.test>: no\n"), std::string::npos);
    EXPECT_EQ(text.find("must not"), std::string::npos);
}

TEST_F(NoticeTest, NullSenderAndInternationalMail)
{
    envelope.recipients = {{.address = "ü@ok.test"}};
    envelope.sender.clear();
    envelope.is_smtputf8 = true;
    Outcome refused;
    refused.status = {"5.1.1", "no"};
    outcomes = {refused};
    const std::string text = format_notice(notice).before;
    EXPECT_EQ(text.find("X-Postfix-Sender"), std::string::npos);
    EXPECT_NE(text.find("report-type=delivery-status"), std::string::npos);
    EXPECT_NE(text.find("Content-Type: message/global-delivery-status\n"), std::string::npos);
    EXPECT_NE(text.find("Final-Recipient: utf-8; ü@ok.test\n"), std::string::npos);
    EXPECT_NE(text.find("Return-Path: <>\n"), std::string::npos);
}

TEST_F(NoticeTest, ForeignTextCannotForgeStructure)
{
    envelope.recipients = {{.address = "a@ok.test"}};
    Outcome refused;
    refused.status = {"5.0.0", "bad\n\n--boundary\nX: y\r\nz"};
    refused.diagnostic_type = "smtp";
    refused.remote_mta = "evil\nStatus: 2.0.0";
    outcomes = {refused};
    const std::string text = format_notice(notice).before;
    EXPECT_EQ(text.find("\n--boundary"), std::string::npos);
    EXPECT_EQ(text.find("\nStatus: 2.0.0"), std::string::npos);
}

TEST(FoldWords, AtSeventyNine)
{
    EXPECT_EQ(fold_words("short"), "short");
    const std::string fits(79, 'x');
    EXPECT_EQ(fold_words(fits), fits);
    EXPECT_EQ(fold_words(std::string(70, 'x') + " 12345678"), std::string(70, 'x') + " 12345678");
    EXPECT_EQ(fold_words(std::string(70, 'x') + " 123456789"), std::string(70, 'x') + "\n    123456789");
    const std::string word(120, 'y');
    EXPECT_EQ(fold_words(word), word);
    EXPECT_EQ(fold_words("a " + word + " b"), "a\n    " + word + "\n    b");
    EXPECT_EQ(fold_words(std::string(79, 'x') + " b"), std::string(79, 'x') + "\n    b");
}

}  // namespace
}  // namespace ekiden::report
