#include "base/log_sinks.hpp"
#include "report/bounce.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace ekiden::report {
namespace {

using deliver::Outcome;

// A queue in a temporary directory, an intake and a bouncer over it; the clock stands still.
class BounceTest : public testing::Test {
protected:
    void start(const std::string& lines)
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        mail::use_long_queue_ids(false);
        base::use_sink(base::function_sink([this](base::LogLevel, std::string_view tag, std::string line) {
            log.push_back(std::string(tag) + ": " + line);
        }));
        char pattern[] = "/tmp/ekiden_bounce_XXXXXX";
        directory = mkdtemp(pattern);
        std::ofstream(directory + "/main.cf")
            << "compatibility_level = 3.6\nmyhostname = mail.golden.test\nmydomain = golden.test\n"
               "mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain\nalias_maps =\n"
               "mynetworks = 127.0.0.1/32\ninet_interfaces = 127.0.0.1\n"
            << lines;
        std::ofstream(directory + "/master.cf") << "";
        config::LoadOptions options;
        options.directory = directory;
        auto settings = config::Settings::load(options);
        queue::StoreOptions store_options;
        store_options.directory = directory + "/log";
        std::filesystem::create_directory(store_options.directory);
        store_options.segment_size = 1 << 20;
        auto opened = queue::open_store(store_options);
        ASSERT_TRUE(opened) << opened.error().text();
        store = std::move(*opened);
        intake = rewrite::Intake::make(settings, rewrite::Resolver::make(settings), *store);
        bouncer = Bouncer::make(settings, intake);
    }
    void TearDown() override
    {
        bouncer.reset();
        intake.reset();
        if (store) store->stop();
        store.reset();
        base::use_sink(base::stderr_sink());
        if (!directory.empty()) std::filesystem::remove_all(directory);
    }

    template <class T>
    T run(Task<T> task)
    {
        return ekiden::test::run_task(std::move(task));
    }

    // Queues a message and reads it back.
    queue::Loaded submit(const std::string& sender, std::vector<mail::Recipient> recipients, std::string_view content,
                         mail::DsnReturn dsn_return = mail::DsnReturn::unspecified)
    {
        rewrite::DraftOptions options;
        options.origin = {.client_name = "localhost",
                          .client_address = "127.0.0.1",
                          .helo_name = "client2.remote.test",
                          .protocol = "ESMTP",
                          .rewrite_context = "local"};
        auto draft = intake->open(std::move(options));
        draft.set_sender(sender);
        for (auto& recipient : recipients) draft.add_recipient(std::move(recipient));
        draft.envelope().dsn_return = dsn_return;
        draft.write(content);
        auto queued = run(draft.submit());
        EXPECT_TRUE(queued);
        return load((*queued)->id);
    }
    queue::Loaded load(mail::QueueId id)
    {
        auto loaded = run(store->load(id));
        EXPECT_TRUE(loaded);
        return std::move(*loaded);
    }
    static std::string text_of(const queue::Loaded& loaded)
    {
        std::string text;
        auto reader = loaded.content->open();
        while (true) {
            auto piece = reader->next_now();
            if (!piece || piece->empty()) return text;
            text += *piece;
        }
    }
    static std::vector<Outcome> refused(std::uint32_t index = 0)
    {
        Outcome o;
        o.kind = Outcome::Kind::bounced;
        o.recipient = index;
        o.relay = "mx.remote.test[127.0.0.25]:2525";
        o.status = {"5.1.1",
                    "host mx.remote.test[127.0.0.25] said: 550 5.1.1 No such user here (in reply to RCPT TO command)"};
        o.remote_mta = "mx.remote.test";
        o.diagnostic_type = "smtp";
        o.diagnostic_text = "550 5.1.1 No such user here";
        return {o};
    }
    bool has_logged(const std::string& line)
    {
        base::flush_log();
        return std::ranges::find(log, line) != log.end();
    }

    base::FixedClock clock{WallTime(std::chrono::seconds(1795325844))};
    std::string directory;
    std::unique_ptr<queue::Store> store;
    std::shared_ptr<const rewrite::Intake> intake;
    std::shared_ptr<const Bouncer> bouncer;
    std::vector<std::string> log;
};

constexpr std::string_view message = "Subject: out\nFrom: user1@golden.test\n\nline 1\nline 2\n";

TEST_F(BounceTest, WholeMessageAsPostfixSendsIt)
{
    start("");
    const auto original =
        submit("user1@golden.test", {{.address = "perm@ok.test"}, {.address = "x@nx.nosuch.test"}}, message);
    const auto reported = run(bouncer->bounce(original.envelope, original.content, refused()));
    ASSERT_TRUE(reported);
    ASSERT_TRUE(*reported);
    const std::string old_id = mail::format(original.envelope->id), new_id = mail::format(**reported);
    const auto bounced = load(**reported);
    EXPECT_EQ(bounced.envelope->sender, "");
    ASSERT_EQ(bounced.envelope->recipients.size(), 1u);
    EXPECT_EQ(bounced.envelope->recipients[0].address, "user1@golden.test");
    EXPECT_EQ(bounced.envelope->body, mail::BodyType::eight_bit);
    EXPECT_TRUE(has_logged("postfix/bounce: " + old_id + ": sender non-delivery notification: " + new_id));

    const std::string boundary = old_id + ".1795325844/mail.golden.test";
    EXPECT_EQ(text_of(bounced),
              "Received: by mail.golden.test (Postfix)\n\tid " + new_id + "; Sun, 22 Nov 2026 05:37:24 +0000 (UTC)\n"
              "Date: Sun, 22 Nov 2026 05:37:24 +0000 (UTC)\n"
              "From: Mail Delivery System <MAILER-DAEMON@mail.golden.test>\n"
              "Subject: Undelivered Mail Returned to Sender\n"
              "To: user1@golden.test\n"
              "Auto-Submitted: auto-replied\n"
              "MIME-Version: 1.0\n"
              "Content-Type: multipart/report; report-type=delivery-status;\n"
              "\tboundary=\"" + boundary + "\"\n"
              "Content-Transfer-Encoding: 8bit\n"
              "Message-Id: <20261122053724." + new_id + "@mail.golden.test>\n"
              "\n"
              "This is a MIME-encapsulated message.\n"
              "\n"
              "--" + boundary + "\n"
              "Content-Description: Notification\n"
              "Content-Type: text/plain; charset=utf-8\n"
              "Content-Transfer-Encoding: 8bit\n"
              "\n"
              "This is the mail system at host mail.golden.test.\n"
              "\n"
              "I'm sorry to have to inform you that your message could not\n"
              "be delivered to one or more recipients. It's attached below.\n"
              "\n"
              "For further assistance, please send mail to postmaster.\n"
              "\n"
              "If you do so, please include this problem report. You can\n"
              "delete your own text from the attached returned message.\n"
              "\n"
              "                   The mail system\n"
              "\n"
              "<perm@ok.test>: host mx.remote.test[127.0.0.25] said: 550 5.1.1 No such user\n"
              "    here (in reply to RCPT TO command)\n"
              "\n"
              "--" + boundary + "\n"
              "Content-Description: Delivery report\n"
              "Content-Type: message/delivery-status\n"
              "\n"
              "Reporting-MTA: dns; mail.golden.test\n"
              "X-Postfix-Queue-ID: " + old_id + "\n"
              "X-Postfix-Sender: rfc822; user1@golden.test\n"
              "Arrival-Date: Sun, 22 Nov 2026 05:37:24 +0000 (UTC)\n"
              "\n"
              "Final-Recipient: rfc822; perm@ok.test\n"
              "Original-Recipient: rfc822;perm@ok.test\n"
              "Action: failed\n"
              "Status: 5.1.1\n"
              "Remote-MTA: dns; mx.remote.test\n"
              "Diagnostic-Code: smtp; 550 5.1.1 No such user here\n"
              "\n"
              "--" + boundary + "\n"
              "Content-Description: Undelivered Message\n"
              "Content-Type: message/rfc822\n"
              "Content-Transfer-Encoding: 8bit\n"
              "\n"
              "Return-Path: <user1@golden.test>\n" + text_of(original) +
              "\n--" + boundary + "--\n");
}

TEST_F(BounceTest, HeadersOnlyWhenAskedOrTooLarge)
{
    struct {
        const char* config;
        mail::DsnReturn dsn_return;
        bool is_whole;
    } rows[] = {
        {"", mail::DsnReturn::headers, false},
        {"", mail::DsnReturn::full, true},
        {"bounce_size_limit = 100\n", mail::DsnReturn::full, false},
        {"bounce_size_limit = 100000\n", mail::DsnReturn::unspecified, true},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.config);
        start(row.config);
        const auto original = submit("user1@golden.test", {{.address = "perm@ok.test"}}, message, row.dsn_return);
        const auto reported = run(bouncer->bounce(original.envelope, original.content, refused()));
        ASSERT_TRUE(reported && *reported);
        const std::string text = text_of(load(**reported));
        EXPECT_EQ(text.find("line 1") != std::string::npos, row.is_whole);
        EXPECT_EQ(text.find("Content-Type: text/rfc822-headers") == std::string::npos, row.is_whole);
        EXPECT_NE(text.find("Subject: out\n"), std::string::npos);
        TearDown();
    }
    directory.clear();
}

TEST_F(BounceTest, NobodyIsToldWhoDidNotAsk)
{
    start("");
    const auto never = submit("user1@golden.test",
                              {{.address = "a@ok.test", .notify = mail::notify_never},
                               {.address = "b@ok.test", .notify = mail::notify_success}},
                              message);
    std::vector<Outcome> both = refused(0);
    both.push_back(refused(1)[0]);
    auto reported = run(bouncer->bounce(never.envelope, never.content, both));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);
    reported = run(bouncer->warn_delayed(never.envelope, never.content, both));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);

    Outcome delivered;
    delivered.kind = Outcome::Kind::delivered;
    delivered.recipient = 1;
    delivered.relay = "local";
    delivered.status = {"2.0.0", "delivered to maildir"};
    reported = run(bouncer->report_success(never.envelope, never.content, {delivered}));
    ASSERT_TRUE(reported && *reported);
    EXPECT_TRUE(has_logged("postfix/bounce: " + mail::format(never.envelope->id) +
                           ": sender delivery status notification: " + mail::format(**reported)));
    delivered.is_reported_by_peer = true;
    reported = run(bouncer->report_success(never.envelope, never.content, {delivered}));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);
    delivered.is_reported_by_peer = false;
    delivered.recipient = 0;
    reported = run(bouncer->report_success(never.envelope, never.content, {delivered}));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);
}

TEST_F(BounceTest, NullSenderEndsTheChain)
{
    start("");
    const auto from_nobody = submit("", {{.address = "a@ok.test"}}, message);
    auto reported = run(bouncer->bounce(from_nobody.envelope, from_nobody.content, refused()));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);
    EXPECT_EQ(store->size(), 1u);
    const auto from_us = submit("double-bounce@mail.golden.test", {{.address = "a@ok.test"}}, message);
    reported = run(bouncer->bounce(from_us.envelope, from_us.content, refused()));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);
    EXPECT_TRUE(has_logged("postfix/bounce: warning: " + mail::format(from_us.envelope->id) +
                           ": undeliverable postmaster notification discarded"));
}

TEST_F(BounceTest, PostmasterCopies)
{
    start("notify_classes = bounce, 2bounce, delay\n");
    const auto original = submit("user1@golden.test", {{.address = "perm@ok.test"}}, message);
    ASSERT_TRUE(run(bouncer->bounce(original.envelope, original.content, refused())));
    EXPECT_EQ(store->size(), 3u);
    const std::string id = mail::format(original.envelope->id);
    base::flush_log();
    std::vector<std::string> told;
    for (const std::string& line : log) {
        if (line.starts_with("postfix/bounce: " + id)) told.push_back(line);
    }
    ASSERT_EQ(told.size(), 2u);
    EXPECT_TRUE(told[0].starts_with("postfix/bounce: " + id + ": sender non-delivery notification: "));
    const std::string head = "postfix/bounce: " + id + ": postmaster non-delivery notification: ";
    ASSERT_TRUE(told[1].starts_with(head));
    const auto copy = load(*mail::parse_queue_id(std::string_view(told[1]).substr(head.size())));
    EXPECT_EQ(copy.envelope->sender, "double-bounce@mail.golden.test");
    const std::string text = text_of(copy);
    EXPECT_NE(
        text.find(
            "Subject: Postmaster Copy: Undelivered Mail\nTo: postmaster@mail.golden.test\nAuto-Submitted: auto-generated\n"),
        std::string::npos);
    EXPECT_NE(text.find("Content-Type: text/rfc822-headers"), std::string::npos);
    EXPECT_EQ(text.find("line 1"), std::string::npos);

    const auto from_nobody = submit("", {{.address = "a@ok.test"}}, message);
    const auto reported = run(bouncer->bounce(from_nobody.envelope, from_nobody.content, refused()));
    ASSERT_TRUE(reported && *reported);
    const auto second = load(**reported);
    EXPECT_EQ(second.envelope->sender, "double-bounce@mail.golden.test");
    const std::string second_text = text_of(second);
    EXPECT_NE(second_text.find("X-Postfix-Sender: rfc822; MAILER-DAEMON@mail.golden.test\n"), std::string::npos);
    EXPECT_NE(
        second_text.find(
            "Content-Description: Undelivered Message\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nReturn-Path: <MAILER-DAEMON@mail.golden.test>\n"),
        std::string::npos);
}

TEST_F(BounceTest, DelayWarning)
{
    start("delay_warning_time = 1s\n");
    const auto original = submit("user1@golden.test", {{.address = "x@ok.test"}}, message);
    Outcome waiting;
    waiting.status = {"4.4.1", "connect to 127.0.0.26[127.0.0.26]:2525: Connection refused"};
    const auto reported = run(bouncer->warn_delayed(original.envelope, original.content, {waiting}));
    ASSERT_TRUE(reported && *reported);
    const std::string text = text_of(load(**reported));
    EXPECT_NE(text.find("Subject: Delayed Mail (still being retried)\n"), std::string::npos);
    EXPECT_NE(text.find("more than 0 hour(s).\nIt will be retried until it is 5 day(s) old.\n"), std::string::npos);
    EXPECT_NE(text.find("Will-Retry-Until: Fri, 27 Nov 2026 05:37:24 +0000 (UTC)\n"), std::string::npos);
    EXPECT_TRUE(has_logged(
        "postfix/bounce: warning: please reduce time unit \"hours\" of \"delay_warning_time_hours\" in delay template"));
    EXPECT_TRUE(has_logged("postfix/bounce: " + mail::format(original.envelope->id) +
                           ": sender delay notification: " + mail::format(**reported)));
}

TEST_F(BounceTest, WhoWasWarnedHearsOfTheEnd)
{
    start("");
    const auto original =
        submit("user1@golden.test", {{.address = "x@ok.test"}, {.address = "y@ok.test", .notify = mail::notify_never}},
               message);
    Outcome delivered;
    delivered.kind = Outcome::Kind::delivered;
    delivered.relay = "mx.remote.test[127.0.0.25]:2525";
    delivered.remote_mta = "mx.remote.test";
    delivered.status = {"2.0.0", "250 2.0.0 Ok"};
    auto reported = run(bouncer->report_success(original.envelope, original.content, {delivered}));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);
    reported = run(bouncer->report_success(original.envelope, original.content, {delivered}, true));
    ASSERT_TRUE(reported && *reported);
    EXPECT_NE(text_of(load(**reported)).find("\nAction: relayed\n"), std::string::npos);
    delivered.recipient = 1;
    reported = run(bouncer->report_success(original.envelope, original.content, {delivered}, true));
    ASSERT_TRUE(reported);
    EXPECT_FALSE(*reported);
}

TEST_F(BounceTest, ThreadsPointAtTheMessage)
{
    struct {
        const char* content;
        const char* want;   // "" = no thread
    } rows[] = {
        {"Subject: a\nMessage-ID: <one@x.test>\n\nb\n", "\nReferences: <one@x.test>\nIn-Reply-To: <one@x.test>\nAuto-Submitted:"},
        {"Message-ID: <bad id@x.test>\n\nb\n", ""},
        {"Message-ID: none\n\nb\n", ""},
    };
    start("enable_threaded_bounces = yes\n");
    for (const auto& row : rows) {
        const auto original = submit("user1@golden.test", {{.address = "perm1@remote.test"}}, row.content);
        const auto reported = run(bouncer->bounce(original.envelope, original.content, refused()));
        ASSERT_TRUE(reported && *reported);
        const std::string text = text_of(load(**reported));
        const std::string head = text.substr(0, text.find("\n\n"));
        if (*row.want) EXPECT_NE(head.find(row.want), std::string::npos) << head;
        else EXPECT_EQ(head.find("References:"), std::string::npos) << head;
    }
}

TEST_F(BounceTest, WhatCannotBeQueuedIsAnError)
{
    start("message_size_limit = 1000\n");
    const auto original = submit("user1@golden.test", {{.address = "perm@ok.test"}}, message);
    const auto reported = run(bouncer->bounce(original.envelope, original.content, refused()));
    EXPECT_FALSE(reported);
    EXPECT_EQ(store->size(), 1u);
}

}  // namespace
}  // namespace ekiden::report
