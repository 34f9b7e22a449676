#include "rewrite/fields.hpp"
#include "rewrite/intake.hpp"

#include "base/clock.hpp"
#include "mail/queue_id.hpp"
#include "unit/rewrite/world.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace ekiden::rewrite {
namespace {

using test::make_settings;
using test::Overrides;
using test::run;
using Strings = std::vector<std::string>;

// One message through the waist of a host with these settings, on Sun, 22 Nov 2026 05:34:42 UTC.
class IntakeTest : public testing::Test {
protected:
    void SetUp() override
    {
        setenv("TZ", "UTC", 1);
        tzset();
    }

    void configure(const Overrides& overrides)
    {
        const auto settings = make_settings(overrides);
        intake_ = Intake::make(settings, Resolver::make(settings), store_);
    }

    struct Mail {
        std::string sender = "sender@remote.test";
        Strings recipients = {"user1@golden.test"};
        std::string content = "Subject: test\nFrom: <sender@remote.test>\nTo: <user1@golden.test>\n\nHello\n";
        DraftOptions options = from_stranger();
        std::string full_name = {};
        bool is_smtputf8 = false;
        std::size_t step = 100000;   // bytes in a write()
        std::string prepended = {};
    };

    static DraftOptions from_stranger()
    {
        DraftOptions options;
        options.origin.client_name = options.origin.helo_name = "client2.remote.test";
        options.origin.client_address = "127.0.0.2";
        options.origin.protocol = "ESMTP";
        return options;
    }
    static DraftOptions from_localhost()
    {
        auto options = from_stranger();
        options.origin.client_name = "localhost";
        options.origin.client_address = "127.0.0.1";
        options.origin.rewrite_context = "local";
        return options;
    }
    static DraftOptions from_sendmail()
    {
        DraftOptions options;
        options.source = Source::pickup;
        options.origin.rewrite_context = "local";
        options.submitter_uid = 3005;
        return options;
    }

    // What was refused, as the reply: "" when it was queued.
    std::string submit(Mail mail)
    {
        if (!intake_) configure({});
        Draft draft = intake_->open(mail.options);
        id_ = mail::format(draft.id());
        draft.set_sender(mail.sender);
        draft.envelope().full_name = mail.full_name;
        draft.envelope().is_smtputf8 = mail.is_smtputf8;
        for (const auto& recipient : mail.recipients) draft.add_recipient({.address = recipient});
        if (!mail.prepended.empty()) draft.prepend_field(mail.prepended);
        for (std::size_t at = 0; at < mail.content.size(); at += mail.step) {
            draft.write(std::string_view(mail.content).substr(at, mail.step));
            if (draft.needs_flush()) EXPECT_TRUE(run(draft.flush()));
        }
        const auto result = run(draft.submit());
        if (!result)
            return std::to_string(result.error().smtp_code) + " " + result.error().status.code + " " +
                   result.error().status.text;
        if (!store_.messages.empty())
            EXPECT_EQ((*result)->recipients.size(), store_.messages.back().envelope->recipients.size());
        return "";
    }

    // The id of the last message, as ID.
    std::string masked(std::string text) const
    {
        for (auto at = text.find(id_); at != text.npos; at = text.find(id_)) text.replace(at, id_.size(), "ID");
        return text;
    }
    std::string content() const
    {
        return store_.messages.empty() ? "(nothing queued)" : masked(store_.messages.back().text());
    }
    const ekiden::mail::Envelope& envelope() const { return *store_.messages.back().envelope; }
    Strings recipients() const
    {
        Strings out;
        for (const auto& r : envelope().recipients)
            out.push_back(r.address + (r.original.empty() ? "" : " orig=" + r.original));
        return out;
    }
    std::string log() { return masked(log_.joined()); }

    base::FixedClock clock_{WallTime(std::chrono::seconds(1795325682))};
    test::LogLines log_;
    ekiden::test::MemoryStore store_;
    std::shared_ptr<const Intake> intake_;
    std::string id_;
};

constexpr std::string_view from_client = "Received: from client2.remote.test (client2.remote.test [127.0.0.2])\n"
                                         "\tby mail.golden.test (Postfix) with ESMTP id ID\n"
                                         "\tfor <user1@golden.test>; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n";

TEST_F(IntakeTest, leaves_the_mail_of_strangers_alone)
{
    for (std::size_t step : {1, 7, 100000}) {
        Mail mail{.step = step};
        EXPECT_EQ(submit(mail), "");
        EXPECT_EQ(content(), std::string(from_client) + mail.content);
    }
    EXPECT_EQ(envelope().sender, "sender@remote.test");
    EXPECT_EQ(recipients(), Strings{"user1@golden.test"});
    EXPECT_TRUE(log().ends_with("postfix/cleanup: ID: message-id=<>\n")) << log();
}

TEST_F(IntakeTest, completes_the_mail_of_local_clients)
{
    Mail mail{.sender = "bob",
              .recipients = {"user1"},
              .content = "To: user1\nCc: list: a, b;\nReply-To: foo@bar\n\nbody\n",
              .options = from_localhost()};
    EXPECT_EQ(submit(mail), "");
    EXPECT_EQ(content(), "Received: from client2.remote.test (localhost [127.0.0.1])\n"
                         "\tby mail.golden.test (Postfix) with ESMTP id ID\n"
                         "\tfor <user1>; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"
                         "To: user1@mail.golden.test\n"
                         "Cc: list: a@mail.golden.test, b@mail.golden.test;\n"
                         "Reply-To: foo@bar\n"
                         "Message-Id: <20261122053442.ID@mail.golden.test>\n"
                         "Date: Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"
                         "From: bob@mail.golden.test\n"
                         "\n"
                         "body\n");
    EXPECT_EQ(envelope().sender, "bob@mail.golden.test");
    EXPECT_EQ(recipients(), Strings{"user1@mail.golden.test orig=user1"});
    EXPECT_EQ(log(), "postfix/cleanup: ID: message-id=<20261122053442.ID@mail.golden.test>\n");
}

constexpr std::string_view from_alice = "Received: by mail.golden.test (Postfix, from userid 3005)\n"
                                        "\tid ID; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n";
constexpr std::string_view id_and_date = "Message-Id: <20261122053442.ID@mail.golden.test>\n"
                                         "Date: Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n";

TEST_F(IntakeTest, adds_what_sendmail_users_leave_out)
{
    const struct {
        const char* label;
        std::string sender, full_name, content, want;
    } cases[] = {
        {"no header", "alice", "Test alice", "Meowning!\n",
         "ADDEDFrom: Test alice <alice@mail.golden.test>\n\nMeowning!\n"},
        {"empty", "alice", "Test alice", "", "ADDEDFrom: Test alice <alice@mail.golden.test>\n"},
        {"no body", "alice", "", "Subject: x\n", "Subject: x\nADDEDFrom: alice@mail.golden.test\n"},
        {"no newline at the end", "alice", "", "Subject: x\n\ny",
         "Subject: x\nADDEDFrom: alice@mail.golden.test\n\ny\n"},
        {"not a header", "alice", "", "To: user1\nnot a header\n\nx\n",
         "To: user1@mail.golden.test\nADDEDFrom: alice@mail.golden.test\n\nnot a header\n\nx\n"},
        {"quoted name", "alice", "Full \"Q\" N\xc3\xa4me", "\nx\n",
         "ADDEDFrom: \"Full \\\"Q\\\" N\xc3\xa4me\" <alice@mail.golden.test>\n\nx\n"},
        {"null sender", "", "Test alice", "Subject: opt\n\nx\n", "Subject: opt\nADDEDFrom: MAILER-DAEMON\n\nx\n"},
        {"empty From stays", "", "", "To: user1\nFrom: \n\nx\n", "To: user1@mail.golden.test\nFrom: \nADDED\nx\n"},
        {"Bcc goes", "alice", "", "Bcc: user1\nRETURN-PATH: <x>\nContent-Length: 5\nFrom: a@b.test\n\nx\n",
         "From: a@b.test\nADDED\nx\n"},
        {"unfolded", "alice", "",
         "To: \"quoted, name\" <user1@golden.test>,\n\tuser2\nFrom:user@smtp.example.com\n\n.\n",
         "To: \"quoted, name\" <user1@golden.test>, user2@mail.golden.test\nFrom:user@smtp.example.com\nADDED\n.\n"},
        {"NUL survives", "alice", "", std::string("From: a@b\n\nnul\0here\n", 20),
         std::string("From: a@b\nADDED\nnul\0here\n", 25)},
        {"stray CR in the header", "alice", "", "From: a@b\nSubject: x\ry\n\nz\n", "From: a@b\nSubject: x y\nADDED\nz\n"},
        {"stray CR", "alice", "", "From: a@b\n\na\rb\r\n\r", "From: a@b\nADDED\na b \n \n"},
    };
    for (const auto& c : cases) {
        for (std::size_t step : {1, 100000}) {
            EXPECT_EQ(submit({.sender = c.sender,
                              .content = c.content,
                              .options = from_sendmail(),
                              .full_name = c.full_name,
                              .step = step}),
                      "");
            auto want = c.want;
            want.replace(want.find("ADDED"), 5, id_and_date);
            EXPECT_EQ(content(), std::string(from_alice) + want) << c.label << " step " << step;
        }
    }
}

TEST_F(IntakeTest, adds_resent_fields_to_resent_mail)
{
    EXPECT_EQ(submit({.sender = "alice",
                      .recipients = {"alice"},
                      .content = "To: grp: user1, user2;\nResent-To: alice\n\nx\n",
                      .options = from_sendmail()}),
              "");
    EXPECT_EQ(content(), std::string(from_alice)
                             + "To: grp: user1@mail.golden.test, user2@mail.golden.test;\n"
                               "Resent-To: alice@mail.golden.test\n"
                               "Resent-Message-Id: <20261122053442.ID@mail.golden.test>\n"
                               "Resent-Date: Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"
                               "Resent-From: alice@mail.golden.test\n\nx\n");
    EXPECT_EQ(
        log(),
        "postfix/cleanup: ID: resent-message-id=<20261122053442.ID@mail.golden.test>\npostfix/cleanup: ID: message-id=<>\n");
}

TEST(Fields, make_message_ids_as_postfix_does)
{
    const WallTime at{std::chrono::seconds(1795325682)};
    EXPECT_EQ(make_message_id(at, "60EBA6A02B4C2", "mail.golden.test"),
              "20261122053442.60EBA6A02B4C2@mail.golden.test");
    EXPECT_EQ(make_message_id(at, "4gTk8R1dQhz1", "mail.golden.test"), "4gTk8R1dQhz1@mail.golden.test");
}

TEST_F(IntakeTest, writes_received_as_postfix_does)
{
    auto authenticated = from_stranger();
    authenticated.shows_login = true;
    authenticated.protocol_suffix = "A";
    authenticated.origin.sasl_username = "test@golden.test";
    auto six = from_stranger();
    six.origin.client_address = "::1";
    six.origin.helo_name = "";
    six.origin.protocol = "SMTP";
    DraftOptions bounce{.source = Source::bounce};
    auto tls = from_stranger();
    tls.protocol_suffix = "S";
    tls.tls_comment = "\t(using TLSv1.3 with cipher X)\n";

    const struct {
        DraftOptions options;
        Strings recipients;
        bool is_smtputf8;
        std::string want;
    } cases[] = {
        {from_stranger(),
         {"a@golden.test", "b@golden.test"},
         false,
         "Received: from client2.remote.test (client2.remote.test [127.0.0.2])\n\tby mail.golden.test (Postfix) with ESMTP id ID;\n\tSun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"},
        {authenticated,
         {"a b@golden.test"},
         false,
         "Received: from client2.remote.test (client2.remote.test [127.0.0.2])\n\t(Authenticated sender: test@golden.test)\n\tby mail.golden.test (Postfix) with ESMTPA id ID\n"
         "\tfor <\"a b\"@golden.test>; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"},
        {six,
         {"a@golden.test"},
         false,
         "Received: from client2.remote.test (client2.remote.test [IPv6:::1])\n\tby mail.golden.test (Postfix) with SMTP id ID\n\tfor <a@golden.test>; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"},
        {authenticated,
         {"a@golden.test"},
         true,
         "Received: from client2.remote.test (client2.remote.test [127.0.0.2])\n\t(Authenticated sender: test@golden.test)\n\tby mail.golden.test (Postfix) with UTF8SMTPA id ID\n"
         "\tfor <a@golden.test>; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"},
        {tls,
         {"a@golden.test"},
         false,
         "Received: from client2.remote.test (client2.remote.test [127.0.0.2])\n\t(using TLSv1.3 with cipher X)\n\tby mail.golden.test (Postfix) with ESMTPS id ID\n"
         "\tfor <a@golden.test>; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"},
        {bounce,
         {"a@golden.test"},
         false,
         "Received: by mail.golden.test (Postfix)\n\tid ID; Sun, 22 Nov 2026 05:34:42 +0000 (UTC)\n"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(submit({.recipients = c.recipients,
                          .content = "A: b\n\n",
                          .options = c.options,
                          .is_smtputf8 = c.is_smtputf8}),
                  "");
        EXPECT_EQ(content(), c.want + "A: b\n\n");
    }
    EXPECT_EQ(submit({.content = "A: b\n\n", .prepended = "X-Prep: yes"}), "");
    EXPECT_EQ(content(), "X-Prep: yes\n" + std::string(from_client) + "A: b\n\n");
}

TEST_F(IntakeTest, expands_virtual_aliases)
{
    configure(
        {{"virtual_alias_domains", "va.test"},
         {"recipient_delimiter", "+"},
         {"virtual_alias_maps",
          "inline:{ one@va.test=user1@golden.test, {two@va.test = user1@golden.test, user2}, @va.test=alice@golden.test, "
          "{self@golden.test = self@golden.test, copy@golden.test}, a@golden.test=b@golden.test, b@golden.test=c@golden.test, "
          "user9=nine@golden.test, @old.test=@new.test, {odd@va.test = \"a b\"@golden.test} }"}});
    const struct {
        std::string recipient;
        Strings want;
    } cases[] = {
        {"one@va.test", {"user1@golden.test orig=one@va.test"}},
        {"ONE@va.test", {"user1@golden.test orig=ONE@va.test"}},
        {"one+x@va.test", {"user1+x@golden.test orig=one+x@va.test"}},
        {"two@va.test", {"user1@golden.test orig=two@va.test", "user2@mail.golden.test orig=two@va.test"}},
        {"other@va.test", {"alice@golden.test orig=other@va.test"}},
        {"self@golden.test", {"self@golden.test", "copy@golden.test orig=self@golden.test"}},
        {"a@golden.test", {"c@golden.test orig=a@golden.test"}},
        {"user9@golden.test", {"nine@golden.test orig=user9@golden.test"}},
        {"user9@remote.test", {"user9@remote.test"}},
        {"x@old.test", {"x@new.test orig=x@old.test"}},
        {"odd@va.test", {"a b@golden.test orig=odd@va.test"}},
        {"@golden.test", {"MAILER-DAEMON@golden.test orig=@golden.test"}},
        {"", {"MAILER-DAEMON@mail.golden.test"}},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(submit({.recipients = {c.recipient}}), "") << c.recipient;
        EXPECT_EQ(recipients(), c.want) << c.recipient;
    }
    auto plain = from_stranger();
    plain.expands_aliases = false;
    EXPECT_EQ(submit({.recipients = {"one@va.test"}, .options = plain}), "");
    EXPECT_EQ(recipients(), Strings{"one@va.test"});
}

TEST_F(IntakeTest, bounds_alias_expansion)
{
    const struct {
        const char* label;
        Overrides overrides;
        std::string reply, log;
    } cases[] = {
        {"loop",
         {{"virtual_alias_maps",
           "inline:{ user1@golden.test=loop2@golden.test, loop2@golden.test=user1@golden.test }"}},
         "451 4.6.0 Alias expansion error",
         "postfix/cleanup: warning: ID: unreasonable virtual_alias_maps map nesting for user1@golden.test -- message not accepted, try again later\n"},
        {"size",
         {{"virtual_alias_maps", "inline:{ {user1@golden.test = a, b, c} }"}, {"virtual_alias_expansion_limit", "2"}},
         "451 4.6.0 Alias expansion error",
         "postfix/cleanup: warning: ID: unreasonable virtual_alias_maps map expansion size for user1@golden.test -- message not accepted, try again later\n"},
        {"length",
         {{"virtual_alias_maps", "inline:{ user1@golden.test=abcdefghij@golden.test }"},
          {"virtual_alias_address_length_limit", "10"}},
         "451 4.6.0 Alias expansion error",
         "postfix/cleanup: warning: ID: unreasonable virtual_alias_maps result abcdefghij@golden.test... -- message not accepted, try again later\n"},
        {"trouble",
         {{"virtual_alias_maps", "fail:oops"}},
         "451 4.3.0 Error: queue file write error",
         "postfix/cleanup: warning: ID: virtual_alias_maps map lookup problem for user1@golden.test -- message not accepted, try again later\n"},
    };
    for (const auto& c : cases) {
        configure(c.overrides);
        EXPECT_EQ(submit({}), c.reply) << c.label;
        EXPECT_NE(log().find(c.log), std::string::npos) << c.label << ": " << log();
        EXPECT_TRUE(store_.messages.empty());
    }
}

TEST_F(IntakeTest, applies_canonical_maps_and_masquerading)
{
    configure({{"sender_canonical_maps", "inline:{ user1@golden.test=First.Last@golden.test }"},
               {"masquerade_domains", "golden.test"},
               {"recipient_canonical_maps", "inline:{ old@golden.test=new@golden.test }"}});
    for (std::size_t step : {1, 100000}) {
        EXPECT_EQ(submit({.sender = "user1@golden.test",
                          .recipients = {"old@golden.test"},
                          .content = "From: user1@golden.test\nTo: Old <old@golden.test>, user1@golden.test\n\nhello\n",
                          .options = from_localhost(),
                          .step = step}),
                  "");
        EXPECT_EQ(envelope().sender, "First.Last@golden.test");
        EXPECT_EQ(recipients(), Strings{"new@golden.test orig=old@golden.test"});
        EXPECT_NE(content().find("\nFrom: First.Last@golden.test\nTo: Old <new@golden.test>, user1@golden.test\n"),
                  std::string::npos)
            << content();
        EXPECT_TRUE(content().ends_with("(UTC)\n\nhello\n")) << content();
    }
    EXPECT_EQ(submit({.sender = "z@sub.golden.test", .content = "From: z@sub.golden.test\n\n"}), "");
    EXPECT_EQ(envelope().sender, "z@golden.test");
    EXPECT_NE(content().find("From: z@sub.golden.test\n"), std::string::npos) << "headers of strangers stay";
    configure({{"canonical_maps", "inline:{ a@golden.test=b@golden.test, b@golden.test=a@golden.test }"}});
    EXPECT_EQ(submit({.sender = "a@golden.test"}), "451 4.6.0 Alias expansion error");
}

TEST_F(IntakeTest, exempts_users_from_masquerading_by_name_table_and_file)
{
    configure({{"masquerade_domains", "golden.test"}, {"masquerade_exceptions", "root, inline:{ daemon=x }"}});
    const Mail mail{.content = "From: Root@a.golden.test\nReply-To: z@a.golden.test, daemon@b.golden.test\n\n",
                    .options = from_localhost()};
    for (const auto& [sender, want] : {std::pair{"root@a.golden.test", "root@a.golden.test"},
                                       {"daemon@a.golden.test", "daemon@a.golden.test"},
                                       {"z@a.golden.test", "z@golden.test"}}) {
        Mail one = mail;
        one.sender = sender;
        EXPECT_EQ(submit(one), "");
        EXPECT_EQ(envelope().sender, want);
        EXPECT_NE(content().find("\nFrom: Root@a.golden.test\nReply-To: z@golden.test, daemon@b.golden.test\n"),
                  std::string::npos)
            << content();
    }
    configure({{"masquerade_domains", "golden.test"}, {"masquerade_exceptions", "root, fail:x"}});
    EXPECT_EQ(submit({.sender = "root@a.golden.test"}), "") << "the first that matches decides";
    EXPECT_EQ(submit({.sender = "z@a.golden.test"}), "451 4.3.0 Error: queue file write error");
    EXPECT_NE(
        log().find(
            "masquerade_exceptions map lookup problem for z@a.golden.test -- message not accepted, try again later"),
        std::string::npos);
}

TEST_F(IntakeTest, tables_whose_answer_is_no_address_let_the_sender_try_again)
{
    for (const char* parameter : {"virtual_alias_maps", "canonical_maps"}) {
        configure({{parameter, "inline:{ {user1@golden.test=,} {several@golden.test=a@x.test, b@x.test} }"}});
        EXPECT_EQ(submit({}), "451 4.3.0 Error: queue file write error") << parameter;
        EXPECT_NE(log().find(std::string("warning: ") + parameter +
                             " lookup of user1@golden.test returns non-address result \",\"\n"),
                  std::string::npos)
            << log();
    }
    EXPECT_EQ(submit({.recipients = {"several@golden.test"}, .content = "\n"}), "");
    EXPECT_EQ(recipients(), Strings{"a@x.test orig=several@golden.test"});
    EXPECT_NE(log().find("warning: ID: multi-valued canonical_maps entry for several@golden.test\n"), std::string::npos)
        << log();
}

TEST_F(IntakeTest, extensions_go_with_users_and_not_with_domains)
{
    configure({{"virtual_alias_maps",
                "inline:{ {@va.test=one@golden.test} {al@va.test=two@golden.test} {@d.test=@golden.test} }"},
               {"recipient_delimiter", "+"}});
    EXPECT_EQ(submit({.recipients = {"x+e@va.test", "al+e@va.test", "x+e@d.test"}}), "");
    EXPECT_EQ(recipients(), (Strings{"one@golden.test orig=x+e@va.test", "two+e@golden.test orig=al+e@va.test",
                                     "x+e@golden.test orig=x+e@d.test"}));
}

TEST_F(IntakeTest, original_recipients_are_kept_and_tell_duplicates_apart_where_enabled)
{
    const Overrides aliases{
        {"virtual_alias_maps", "inline:{ {a@golden.test=c@golden.test} {b@golden.test=c@golden.test} }"}};
    configure(aliases);
    EXPECT_EQ(submit({.recipients = {"a@golden.test", "b@golden.test"}}), "");
    EXPECT_EQ(recipients(), (Strings{"c@golden.test orig=a@golden.test", "c@golden.test orig=b@golden.test"}));
    Overrides without = aliases;
    without.emplace_back("enable_original_recipient", "no");
    configure(without);
    EXPECT_EQ(submit({.recipients = {"a@golden.test", "b@golden.test"}}), "");
    EXPECT_EQ(recipients(), (Strings{"c@golden.test orig=a@golden.test"})) << "orig_to= in the log stays";
}

TEST_F(IntakeTest, adds_bcc_copies_and_drops_duplicates)
{
    configure({{"always_bcc", "user2@golden.test"},
               {"sender_bcc_maps", "inline:{ @remote.test=watch }"},
               {"recipient_bcc_maps", "inline:{ user1@golden.test=user3@golden.test }"}});
    EXPECT_EQ(submit({.recipients = {"user1@golden.test", "USER1@golden.test", "user1@golden.test"}}), "");
    EXPECT_EQ(recipients(),
              (Strings{"user1@golden.test", "user2@golden.test", "watch@mail.golden.test", "user3@golden.test"}));
    EXPECT_EQ(envelope().recipients[1].notify, mail::notify_never);
    EXPECT_EQ(submit({.options = {.source = Source::bounce}}), "");
    EXPECT_EQ(recipients(), Strings{"user1@golden.test"}) << "no copies of bounces";
    configure({{"always_bcc", "archive"}});
    EXPECT_EQ(submit({}), "");
    EXPECT_EQ(recipients(), (Strings{"user1@golden.test", "archive@mail.golden.test"}))
        << "nobody gave the address that was completed";
    configure({{"recipient_bcc_maps", "fail:x"}});
    EXPECT_EQ(submit({}), "451 4.3.0 Error: queue file write error");
    EXPECT_NE(
        log().find("warning: ID: recipient_bcc_maps map lookup problem -- message not accepted, try again later\n"),
        std::string::npos)
        << log();
}

TEST_F(IntakeTest, detects_smtputf8_in_the_mail_of_sendmail_users)
{
    const struct {
        const char* label;
        Mail mail;
        bool want;
    } cases[] = {
        {"plain", {.options = from_sendmail()}, false},
        {"header", {.content = "Subject: \xc3\xbc\n\nx\n", .options = from_sendmail()}, true},
        {"not UTF-8", {.content = "Subject: \xff\n\nx\n", .options = from_sendmail()}, false},
        {"body", {.content = "Subject: u\n\n\xc3\xbc\n", .options = from_sendmail()}, false},
        {"recipient", {.recipients = {"\xc3\xbc@golden.test"}, .options = from_sendmail()}, true},
        {"sender", {.sender = "\xc3\xbc", .options = from_sendmail()}, true},
        {"network", {.content = "Subject: \xc3\xbc\n\nx\n"}, false},
        {"network, asked for", {.is_smtputf8 = true}, true},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(submit(c.mail), "");
        EXPECT_EQ(envelope().is_smtputf8, c.want) << c.label;
    }
}

TEST_F(IntakeTest, refuses_what_must_not_enter)
{
    std::string looped;
    for (int i = 0; i < 49; ++i) looped += "Received: x\n";
    auto small = from_stranger();
    small.size_limit = 20;
    const struct {
        const char* label;
        Mail mail;
        std::string want;
    } cases[] = {
        {"hops", {.content = looped + "\nx\n"}, "554 5.4.0 Error: too many hops"},
        {"one hop less", {.content = looped.substr(12) + "\nx\n"}, ""},
        {"size", {.content = "A: b\n\n0123456789abcdef\n", .options = small}, "552 5.3.4 Error: message file too big"},
        {"size in pieces", {.content = "A: b\n\n0123456789abcdef\n", .options = small, .step = 3}, "552 5.3.4 Error: message file too big"},
        {"size as SMTP counts", {.content = "A: b\n\n01\n\n\n\n\n", .options = small}, ""},
        {"size as SMTP counts, over", {.content = "A: b\n\n01\n\n\n\n\n\n", .options = small}, "552 5.3.4 Error: message file too big"},
        {"nobody", {.recipients = {}}, "550 5.1.0 Error: no recipients specified"},
    };
    for (const auto& c : cases) {
        store_.messages.clear();
        EXPECT_EQ(submit(c.mail), c.want) << c.label;
        EXPECT_EQ(store_.messages.empty(), !c.want.empty()) << c.label;
    }
    store_.commit_error = Error(ErrorCode::no_space, "No space left on device");
    EXPECT_EQ(submit({}), "452 4.3.1 Insufficient system storage");
    store_.commit_error = Error(ErrorCode::system, "Input/output error");
    EXPECT_EQ(submit({}), "451 4.3.0 Error: queue file write error");
    EXPECT_NE(log().find("warning: ID: queue file write error: Input/output error"), std::string::npos);
}

TEST_F(IntakeTest, tells_of_hops_a_bounded_number_of_times)
{
    const auto content_with = [](int hops) {
        std::string content;
        for (int i = 0; i < hops; ++i) content += "Received: x\n";
        return content + "\nx\n";
    };
    const struct {
        const char* label;
        int hops;
        DraftOptions options;
        std::ptrdiff_t want;
    } cases[] = {
        {"sendmail, each", 51, from_sendmail(), 3},
        {"sendmail, but not all", 2000, from_sendmail(), 20},
        {"network", 2000, from_stranger(), 1},
    };
    for (const auto& c : cases) {
        log_.lines.clear();
        EXPECT_EQ(submit({.content = content_with(c.hops), .options = c.options}), "554 5.4.0 Error: too many hops");
        EXPECT_EQ(std::ranges::count_if(log_.lines, [](const auto& line) { return line.contains("hopcount exceeded"); }),
                  c.want)
            << c.label;
    }
}

TEST_F(IntakeTest, obeys_header_and_body_checks)
{
    const std::string path = testing::TempDir() + "ekiden_checks_" + std::to_string(getpid());
    const auto write_file = [](const std::string& name, const char* text) {
        FILE* file = std::fopen(name.c_str(), "w");
        ASSERT_NE(file, nullptr);
        std::fputs(text, file);
        std::fclose(file);
    };
    write_file(
        path + "_h",
        "/^Subject: reject me/ REJECT no such subject here\n/^Subject: reject enh/ REJECT 5.7.9 custom code\n"
        "/^Subject: warn/ WARN look here\n/^Subject: hold/ HOLD please check\n/^Subject: discard/ DISCARD silently\n"
        "/^Subject: replace (.*)/ REPLACE Subject: replaced $1\n/^Subject: prep/ PREPEND X-Prep: yes\n/^X-Ignore:/ IGNORE\n"
        "/^Subject: redirect/ REDIRECT user2@golden.test\n/^Subject: info/ INFO noted\n/^Subject: bcc/ BCC user2@golden.test\n"
        "/^Subject: strip/ STRIP stripped\n/^Subject: later/ REJECT 4.7.1 later\n/^Received: .*192\\.0\\.2\\.1/ IGNORE\n");
    write_file(path + "_b",
               "/badword/ REJECT\n/filterme/ FILTER smtp:[127.0.0.25]\n/gone/ IGNORE\n/old/ REPLACE new\n");
    configure({{"header_checks", "regexp:" + path + "_h"}, {"body_checks", "regexp:" + path + "_b"}});
    const std::string tail =
        " from client2.remote.test[127.0.0.2]; from=<a@remote.test> to=<user1@golden.test> proto=ESMTP helo=<client2.remote.test>: ";
    const struct {
        std::string subject, body, reply, header, want_body, log;
        Strings recipients = {"user1@golden.test"};
    } cases[] = {
        {"reject me", "x\n", "550 5.7.1 no such subject here", "", "", "reject: header Subject: reject me" + tail + "5.7.1 no such subject here"},
        {"reject enh", "x\n", "550 5.7.9 custom code", "", "", "reject: header Subject: reject enh" + tail + "5.7.9 custom code"},
        {"warn", "x\n", "", "Subject: warn\n", "x\n", "warning: header Subject: warn" + tail + "look here"},
        {"hold", "x\n", "", "Subject: hold\n", "x\n", "hold: header Subject: hold" + tail + "please check"},
        {"discard", "x\n", "discarded", "", "", "discard: header Subject: discard" + tail + "silently"},
        {"replace abc", "x\n", "", "Subject: replaced abc\n", "x\n", "replace: header Subject: replace abc" + tail + "Subject: replaced abc"},
        {"prep", "x\n", "", "X-Prep: yes\nSubject: prep\n", "x\n", "prepend: header Subject: prep" + tail + "X-Prep: yes"},
        {"redirect", "x\n", "", "Subject: redirect\n", "x\n", "redirect: header Subject: redirect" + tail + "user2@golden.test", {"user2@golden.test orig=user1@golden.test"}},
        {"info", "x\n", "", "Subject: info\n", "x\n", "info: header Subject: info" + tail + "noted"},
        {"bcc", "x\n", "", "Subject: bcc\n", "x\n", "bcc: header Subject: bcc" + tail + "user2@golden.test", {"user1@golden.test", "user2@golden.test"}},
        {"strip", "x\n", "", "", "x\n", "strip: header Subject: strip" + tail + "stripped"},
        {"ok", "has badword inside\n", "550 5.7.1 message content rejected", "", "", "reject: body has badword inside" + tail + "5.7.1 message content rejected"},
        {"later", "x\n", "451 4.7.1 later", "", "", "reject: header Subject: later" + tail + "4.7.1 later"},
        {"f", "filterme\nold\ngone\nlast", "", "Subject: f\n", "filterme\nnew\nlast\n", "filter: body filterme" + tail + "smtp:[127.0.0.25]"},
    };
    for (const auto& c : cases) {
        for (std::size_t step : {1, 100000}) {
            store_.messages.clear();
            const auto reply = submit({.sender = "a@remote.test",
                                       .content = "Subject: " + c.subject + "\nX-Ignore: gone\n\n" + c.body,
                                       .step = step});
            EXPECT_EQ(reply, c.reply == "discarded" ? "" : c.reply) << c.subject;
            EXPECT_NE(log().find("postfix/cleanup: ID: " + c.log + "\n"), std::string::npos) << c.subject << "\n"
                                                                                             << log();
            EXPECT_EQ(store_.messages.empty(), !c.reply.empty()) << c.subject;
            if (store_.messages.empty()) continue;
            EXPECT_EQ(content(), std::string(from_client) + c.header + "\n" + c.want_body) << c.subject;
            EXPECT_EQ(recipients(), c.recipients) << c.subject;
            EXPECT_EQ(envelope().is_held, c.subject == "hold");
            EXPECT_EQ(envelope().filter, c.subject == "f" ? "smtp:[127.0.0.25]" : "");
        }
    }
    auto inner = from_stranger();
    inner.origin.client_address = "192.0.2.1";
    EXPECT_EQ(submit({.content = "A: b\n\nx\n", .options = inner}), "");
    EXPECT_EQ(content(), "A: b\n\nx\n") << "our own Received can be hidden";

    inner.checks_content = false;
    EXPECT_EQ(submit({.content = "Subject: reject me\n\nbadword\n", .options = inner}), "");
    const DraftOptions report{.source = Source::bounce, .checks_content = false};
    EXPECT_EQ(submit({.content = "Subject: reject me\n\nbadword\n", .options = report}), "");

    configure({{"header_checks", "fail:oops"}});
    EXPECT_EQ(submit({}), "451 4.3.0 Error: queue file write error");
    std::remove((path + "_h").c_str());
    std::remove((path + "_b").c_str());
}

// Which table sees which header, and what is body: as Postfix 3.7 logs it.
TEST_F(IntakeTest, checks_headers_of_parts_and_attached_messages)
{
    configure(
        {{"mime_header_checks",
          "inline:{ {X-A: part=WARN m} {Content-Type: text/plain=WARN c} {Content-Type: application/x=REJECT no programs} }"},
         {"nested_header_checks", "inline:{ {X-A: nested=WARN n} {Subject: evil=REJECT nested evil} }"},
         {"body_checks", "inline:{ {--x=WARN b} {X-A: part=REJECT seen as body} }"}});
    const std::string head = "Content-Type: multipart/mixed; boundary=x\n\n";
    const std::string good =
        head + "--x\nContent-Type: message/rfc822\nX-A: part\n\nX-A: nested\nContent-Type: text/plain\n\nb\n--x--\n";
    for (const std::size_t step : {1, 100000}) {
        store_.messages.clear();
        EXPECT_EQ(submit({.content = good, .step = step}), "");
        EXPECT_EQ(content(), std::string(from_client) + good);
        const std::string seen = log();
        for (const auto* what : {"body --x from", "header X-A: part from", "header X-A: nested from",
                                 "header Content-Type: text/plain from"})
            EXPECT_NE(seen.find(std::string("warning: ") + what), std::string::npos) << what << "\n" << seen;
        EXPECT_EQ(submit({.content = head + "--x\nContent-Type: application/x\n\nb\n", .step = step}),
                  "550 5.7.1 no programs");
        EXPECT_EQ(submit({.content = "Content-Type: message/rfc822\n\nSubject: evil\n\nb\n", .step = step}),
                  "550 5.7.1 nested evil");
        EXPECT_EQ(submit({.content = "Subject: evil\n\nX-A: nested\n", .step = step}), "");
    }
    configure({{"mime_header_checks", "inline:{ {Content-Type: application/x=REJECT no} }"},
               {"disable_mime_input_processing", "yes"}});
    EXPECT_EQ(submit({.content = head + "--x\nContent-Type: application/x\n\nb\n"}), "");
}

TEST_F(IntakeTest, refuses_flaws_of_mime_where_the_administrator_is_strict)
{
    const std::string body8 = "Subject: x\n\nh\xc3\xa4\n", header8 = "Subject: h\xc3\xa4\n\nb\n";
    const std::string encoded = "Content-Type: message/partial\nContent-Transfer-Encoding: 8bit\n\nb\n";
    const struct {
        const char* setting;
        std::string content, reply;
    } cases[] = {
        {"strict_8bitmime", body8, "550 5.6.0 improper use of 8-bit data in message body"},
        {"strict_8bitmime", header8, "550 5.6.0 improper use of 8-bit data in message header"},
        {"strict_8bitmime_body", body8, "550 5.6.0 improper use of 8-bit data in message body"},
        {"strict_8bitmime_body", header8, ""},
        {"strict_8bitmime_body", "Content-Transfer-Encoding: 8bit\n\nh\xc3\xa4\n", ""},
        {"strict_7bit_headers", header8, "550 5.6.0 improper use of 8-bit data in message header"},
        {"strict_7bit_headers", body8, ""},
        {"strict_mime_encoding_domain", encoded, "550 5.6.0 invalid message/* or multipart/* encoding domain"},
        {"strict_mime_encoding_domain", "Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: 8bit\n\n--x\n\nb\n", ""},
        {"always_add_missing_headers", header8 + body8 + encoded, ""},
    };
    for (const auto& c : cases) {
        configure({{c.setting, "yes"}, {"smtputf8_enable", "no"}});
        EXPECT_EQ(submit({.content = c.content}), c.reply) << c.setting << ": " << c.content;
    }
    configure({{"strict_8bitmime", "yes"}});
    submit({.content = body8});
    EXPECT_NE(log().find("reject: mime-error improper use of 8-bit data in message body: h"), std::string::npos)
        << log();
}

TEST_F(IntakeTest, notices_and_converts_eight_bit_content)
{
    const std::string text = "Content-Transfer-Encoding: 8bit\nSubject: x\n\nh\xc3\xa4\n";
    EXPECT_EQ(submit({.content = text}), "");
    EXPECT_EQ(envelope().body, mail::BodyType::eight_bit);
    EXPECT_EQ(content(), std::string(from_client) + text);
    configure({{"force_mime_input_conversion", "yes"}});
    EXPECT_EQ(submit({.content = text}), "");
    EXPECT_EQ(content(),
              std::string(from_client) + "Subject: x\nContent-Transfer-Encoding: quoted-printable\n\nh=C3=A4\n");
    configure({{"detect_8bit_encoding_header", "no"}});
    EXPECT_EQ(submit({.content = text}), "");
    EXPECT_EQ(envelope().body, mail::BodyType::unspecified);
}

TEST_F(IntakeTest, holds_back_bounded_content_while_tables_are_asked)
{
    configure({{"body_checks", "inline:{ never=REJECT }"}});
    std::string body;
    while (body.size() < 1000000) body += "0123456789 0123456789 0123456789\n";
    EXPECT_EQ(submit({.content = "Subject: big\n\n" + body, .step = 10000}), "");
    EXPECT_EQ(content(), std::string(from_client) + "Subject: big\n\n" + body);
    const std::string endless(500000, 'x');
    EXPECT_EQ(submit({.content = "Subject: big\n\n" + endless, .step = 10000}), "");
    EXPECT_EQ(content(), std::string(from_client) + "Subject: big\n\n" + endless + "\n");
    std::string header;
    for (int i = 0; i < 20000; ++i) header += "X-Field: 0123456789\n";
    EXPECT_EQ(submit({.content = header + "\nx\n", .step = 10000}), "");
    EXPECT_EQ(content(), std::string(from_client) + header + "\nx\n");
}

}  // namespace
}  // namespace ekiden::rewrite
