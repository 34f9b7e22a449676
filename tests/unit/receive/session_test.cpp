// What the dialogues cannot play: time running out, and how replies are gathered.
#include "world.hpp"

namespace ekiden::receive::test {
namespace {

// Hands out the pieces one read at a time, then fails; keeps each write.
class ScriptedStream : public net::Stream {
public:
    ScriptedStream(net::Executor executor, std::vector<std::string> pieces, ErrorCode end,
                   std::vector<std::string>& writes)
        : executor_(executor), pieces_(std::move(pieces)), end_(end), writes_(writes)
    {
    }
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override
    {
        if (at_ == pieces_.size()) co_return fail(end_, "the end of the script");
        const std::string& piece = pieces_[at_++];
        EXPECT_LE(piece.size(), buffer.size());
        std::ranges::copy(piece, buffer.begin());
        co_return piece.size();
    }
    Task<Result<void>> write(std::span<const std::string_view> pieces) override
    {
        std::string all;
        for (auto piece : pieces) all += piece;
        writes_.push_back(all);
        co_return Result<void>{};
    }
    void set_deadline(SteadyTime) override {}
    void close() override {}
    bool has_unread_bytes() override { return false; }
    net::Executor executor() override { return executor_; }
    int native_handle() override { return -1; }

private:
    net::Executor executor_;
    std::vector<std::string> pieces_;
    std::size_t at_ = 0;
    ErrorCode end_;
    std::vector<std::string>& writes_;
};

struct Outcome {
    std::vector<std::string> writes, log;
};

Outcome play(World& world, std::vector<std::string> pieces, ErrorCode end)
{
    Outcome outcome;
    auto session = world.session(
        std::make_unique<ScriptedStream>(world.loop.executor(), std::move(pieces), end, outcome.writes), "127.0.0.2");
    world.loop.run(session->run());
    session.reset();
    outcome.log = world.log();
    return outcome;
}

const std::string greeting = "EHLO client2.remote.test\r\n";
const std::string timeout_reply = "421 4.4.2 mail.golden.test Error: timeout exceeded\r\n";

TEST(Session, says_when_time_is_up)
{
    World world;
    const auto idle = play(world, {greeting}, ErrorCode::timeout);
    EXPECT_EQ(idle.writes.back(), timeout_reply);
    EXPECT_EQ(idle.log, (std::vector<std::string>{"connect from client2.remote.test[127.0.0.2]",
                                                  "timeout after EHLO from client2.remote.test[127.0.0.2]",
                                                  "disconnect from client2.remote.test[127.0.0.2] ehlo=1 commands=1"}));

    const auto in_data = play(
        world, {greeting, "MAIL FROM:<a@remote.test>\r\nRCPT TO:<user1@golden.test>\r\nDATA\r\n", "Subject: x\r\nhalf"},
        ErrorCode::timeout);
    EXPECT_EQ(in_data.writes.back(), timeout_reply);
    ASSERT_EQ(in_data.log.size(), 4u);
    EXPECT_EQ(in_data.log[2], "timeout after DATA (12 bytes) from client2.remote.test[127.0.0.2]");
    EXPECT_EQ(in_data.log[3],
              "disconnect from client2.remote.test[127.0.0.2] ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4");
    EXPECT_TRUE(world.store.committed.empty());
}

TEST(Session, is_silent_when_the_service_ends_it)
{
    World world;
    const auto outcome = play(world, {greeting}, ErrorCode::cancelled);
    EXPECT_EQ(outcome.log,
              (std::vector<std::string>{"connect from client2.remote.test[127.0.0.2]",
                                        "disconnect from client2.remote.test[127.0.0.2] ehlo=1 commands=1"}));
}

TEST(Session, answers_a_group_of_commands_in_one_write)
{
    World world;
    const auto outcome =
        play(world,
             {greeting,
              "MAIL FROM:<a@remote.test>\r\nRCPT TO:<user1@golden.test>\r\nRCPT TO:<alice@golden.test>\r\nDATA\r\n",
              "Subject: x\r\n.\r\nMAIL FROM:<b@remote.test>\r\nRSET\r\nQUIT\r\n"},
             ErrorCode::closed);
    ASSERT_EQ(outcome.writes.size(), 4u);   // banner, EHLO, the group, message with what follows
    EXPECT_EQ(outcome.writes[2],
              "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
    EXPECT_TRUE(outcome.writes[3].starts_with("250 2.0.0 Ok: queued as "));
    EXPECT_TRUE(outcome.writes[3].ends_with("250 2.1.0 Ok\r\n250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n"));
    EXPECT_EQ(world.store.committed.size(), 1u);
}

TEST(Session, tells_intake_who_the_client_is)
{
    World world;
    play(world,
         {"HELO x\r\n", "MAIL FROM:<a@remote.test> BODY=8BITMIME RET=HDRS ENVID=e+2B1\r\n",
          "RCPT TO:<user1@golden.test> NOTIFY=NEVER\r\n", "DATA\r\n", "Subject: x\r\n.\r\n", "QUIT\r\n"},
         ErrorCode::closed);
    ASSERT_EQ(world.store.committed.size(), 1u);
    const auto& envelope = world.store.committed[0].envelope;
    EXPECT_EQ(envelope.sender, "a@remote.test");
    EXPECT_EQ(envelope.body, mail::BodyType::eight_bit);
    EXPECT_EQ(envelope.dsn_return, mail::DsnReturn::headers);
    EXPECT_EQ(envelope.dsn_envid, "e+1");
    EXPECT_EQ(envelope.origin.client_name, "client2.remote.test");
    EXPECT_EQ(envelope.origin.client_address, "127.0.0.2");
    EXPECT_EQ(envelope.origin.helo_name, "x");
    EXPECT_EQ(envelope.origin.protocol, "SMTP");
    EXPECT_EQ(envelope.origin.rewrite_context, "remote");
    ASSERT_EQ(envelope.recipients.size(), 1u);
    EXPECT_EQ(envelope.recipients[0].notify, mail::notify_never);
    EXPECT_EQ(envelope.recipients[0].dsn_original, "rfc822;user1@golden.test");
}

TEST(Session, complains_to_the_postmaster_of_what_he_asked_for)
{
    struct Row {
        std::string_view config, commands;
        ErrorCode end;
        int complaints;
        bool is_bounce;
        std::string_view reason;
    };
    constexpr std::string_view unknown_user =
        "EHLO x.test\r\nMAIL FROM:<a@remote.test>\r\nRCPT TO:<nosuch@golden.test>\r\n";
    for (const Row& row : {
             Row{"", "FOO\r\nQUIT\r\n", ErrorCode::closed, 0, false, ""},  // resource, software
             Row{"notify_classes = protocol\n", "FOO\r\nQUIT\r\n", ErrorCode::closed, 1, false, ""},
             Row{"notify_classes = protocol\n", "QUIT\r\n", ErrorCode::closed, 0, false, ""},
             Row{"notify_classes = protocol\n", "FOO\r\n", ErrorCode::closed, 1, false, "lost connection"},
             Row{"notify_classes = protocol\n", "FOO\r\n", ErrorCode::timeout, 1, false, "timeout"},
             Row{"notify_classes = protocol\n", unknown_user, ErrorCode::closed, 0, false, ""},
             Row{"notify_classes = bounce\n", unknown_user, ErrorCode::closed, 1, true, "lost connection"},
             Row{"smtpd_recipient_restrictions = permit_mynetworx, reject\n", unknown_user, ErrorCode::closed, 1, false,
                 "lost connection"},
         }) {
        World world{std::string(row.config)};
        std::vector<std::string> lines;   // one by one: talking ahead is trouble too
        for (const std::string_view line : base::split_any(row.commands, "\r\n"))
            lines.push_back(std::string(line) + "\r\n");
        play(world, std::move(lines), row.end);
        ASSERT_EQ(world.complaints.size(), static_cast<std::size_t>(row.complaints)) << row.config << row.commands;
        if (row.complaints == 0) continue;
        const Complaint& complaint = world.complaints.front();
        EXPECT_EQ(complaint.client, "client2.remote.test[127.0.0.2]");
        EXPECT_EQ(complaint.is_bounce, row.is_bounce) << row.config;
        EXPECT_EQ(complaint.reason, row.reason) << row.config;
        EXPECT_TRUE(complaint.transcript.starts_with("Out: 220 mail.golden.test ESMTP Postfix\nIn:  "))
            << complaint.transcript;
    }
}

TEST(Transcript, is_bounded)
{
    Transcript transcript;
    for (int i = 0; i < 100000; ++i) transcript.heard("NOOP");
    EXPECT_LT(transcript.text().size(), Transcript::max_transcript + 100);
    EXPECT_TRUE(transcript.text().ends_with("(the rest is left out)\n"));
    transcript.forget_beyond(100);
    EXPECT_EQ(transcript.text(), "");
    transcript.said("250-a\r\n250 b\r\n");
    transcript.forget_beyond(100);
    EXPECT_EQ(transcript.text(), "Out: 250-a\nOut: 250 b\n");
}

TEST(Session, message_and_recipient_rates_are_held)
{
    World world("smtpd_client_message_rate_limit = 1\nsmtpd_client_recipient_rate_limit = 1\n");
    const auto outcome =
        play(world,
             {greeting, "MAIL FROM:<a@remote.test>\r\n", "RCPT TO:<user1@golden.test>\r\n",
              "RCPT TO:<alice@golden.test>\r\n", "RSET\r\n", "MAIL FROM:<a@remote.test>\r\n", "QUIT\r\n"},
             ErrorCode::closed);
    ASSERT_EQ(outcome.writes.size(), 8u);
    EXPECT_EQ(outcome.writes[4], "450 4.7.1 Error: too many recipients from 127.0.0.2\r\n");
    EXPECT_EQ(outcome.writes[6], "450 4.7.1 Error: too much mail from 127.0.0.2\r\n");
}

}  // namespace
}  // namespace ekiden::receive::test
