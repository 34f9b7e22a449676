#include "tools/smtp_source_latency.hpp"
#include "tools/smtp_source_session.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace ekiden::tools {
namespace {

using Next = SourceSession::Next;

// The replies of a server, one code for each of our turns, and what must be said to it.
struct Turn {
    int code;
    std::string said;       // "(tls)" for the handshake, which is then done at once
    bool is_delivered = false;
};

struct Conversation {
    const char* name;
    Campaign::Tls tls;
    Campaign::Login login;
    bool sends_mail;
    std::vector<Turn> turns;
    std::string rejected{};     // by the last but one of the replies
};

class Conversations : public testing::TestWithParam<Conversation> {};

TEST_P(Conversations, SayWhatWasAskedFor)
{
    const Conversation& c = GetParam();
    Campaign campaign;
    campaign.tls = c.tls;
    campaign.login = c.login;
    campaign.sends_mail = c.sends_mail;
    campaign.user = "test";
    campaign.password = "1234";
    campaign.host_name = "h";
    campaign.sender = campaign.recipient = "a@b";
    campaign.has_own_headers = true;
    campaign.tolerates_rejection = true;

    SourceSession session(campaign, 0);
    session.start();
    std::string out;
    if (c.tls == Campaign::Tls::wrapper) {
        EXPECT_EQ(session.tls_started(out).next, Next::read);
        EXPECT_EQ(out, "");
    }
    std::string rejected;
    for (const Turn& turn : c.turns) {
        out.clear();
        const auto step = session.on_reply(turn.code, out);
        std::string said = out;
        if (step.next == Next::start_tls) {
            said += "(tls)";
            session.tls_started(said);
        }
        if (step.next == Next::send_body) said += "(body)";
        if (step.next == Next::reconnect) said += "(close)";
        EXPECT_EQ(said, turn.said);
        EXPECT_EQ(step.is_delivered, turn.is_delivered) << "after " << turn.said;
        rejected += step.rejected;
    }
    EXPECT_EQ(rejected, c.rejected);
}

const Turn ehlo{220, "EHLO h\r\n"}, mail{250, "MAIL FROM:<a@b>\r\n"}, close_it{221, "(close)"};
const Turn rest[] = {{250, "RCPT TO:<a@b>\r\n"}, {250, "DATA\r\n"}, {354, "(body)"}, {250, "QUIT\r\n", true}};

std::vector<Turn> with_message(std::vector<Turn> turns)
{
    turns.insert(turns.end(), std::begin(rest), std::end(rest));
    turns.push_back(close_it);
    return turns;
}

const Conversation conversations[] = {
    {"Plain", Campaign::Tls::none, Campaign::Login::none, true, with_message({{220, "HELO h\r\n"}, mail})},
    {"StartTls", Campaign::Tls::starttls, Campaign::Login::none, true,
     with_message({ehlo, {250, "STARTTLS\r\n"}, {220, "(tls)EHLO h\r\n"}, mail})},
    {"Wrapper", Campaign::Tls::wrapper, Campaign::Login::none, true, with_message({ehlo, mail})},
    {"PlainLogin", Campaign::Tls::starttls, Campaign::Login::plain, true,
     with_message({ehlo, {250, "STARTTLS\r\n"}, {220, "(tls)EHLO h\r\n"}, {250, "AUTH PLAIN AHRlc3QAMTIzNA==\r\n"},
                   {235, "MAIL FROM:<a@b>\r\n"}})},
    {"LoginLogin", Campaign::Tls::none, Campaign::Login::login, true,
     with_message({ehlo, {250, "AUTH LOGIN\r\n"}, {334, "dGVzdA==\r\n"}, {334, "MTIzNA==\r\n"},
                   {235, "MAIL FROM:<a@b>\r\n"}})},
    {"OnlyLogin", Campaign::Tls::none, Campaign::Login::plain, false,
     {ehlo, {250, "AUTH PLAIN AHRlc3QAMTIzNA==\r\n"}, {235, "QUIT\r\n", true}, close_it}},
    {"OnlyHello", Campaign::Tls::none, Campaign::Login::none, false,
     {{220, "HELO h\r\n"}, {250, "QUIT\r\n", true}, close_it}},
    {"RefusedStartTls", Campaign::Tls::starttls, Campaign::Login::none, true,
     {ehlo, {250, "STARTTLS\r\n"}, {454, "QUIT\r\n"}, close_it}, "STARTTLS rejected"},
    {"RefusedLogin", Campaign::Tls::none, Campaign::Login::plain, false,
     {ehlo, {250, "AUTH PLAIN AHRlc3QAMTIzNA==\r\n"}, {535, "QUIT\r\n"}, close_it}, "login rejected"},
    {"RefusedLoginName", Campaign::Tls::none, Campaign::Login::login, true,
     {ehlo, {250, "AUTH LOGIN\r\n"}, {334, "dGVzdA==\r\n"}, {535, "QUIT\r\n"}, close_it}, "login rejected"},
    {"RefusedMessage", Campaign::Tls::none, Campaign::Login::none, true,
     {{220, "HELO h\r\n"}, mail, rest[0], rest[1], rest[2], {452, "QUIT\r\n"}, close_it}, "end of data rejected"},
};

INSTANTIATE_TEST_SUITE_P(Source, Conversations, testing::ValuesIn(conversations),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Latencies, ArePercentiles)
{
    using namespace std::chrono_literals;
    Latencies latencies;
    EXPECT_EQ(latencies.report(2s, "messages"), "0 messages in 2.000 s, 0 per second");
    for (int i = 200; i >= 1; --i) latencies.add(std::chrono::milliseconds(i));
    EXPECT_EQ(latencies.report(2s, "messages"),
              "200 messages in 2.000 s, 100 per second; ms: 50% 100.000, 90% 180.000, "
              "99% 198.000, 100% 200.000");
    Latencies one;
    one.add(1500us);
    EXPECT_EQ(one.report(1s, "sessions"),
              "1 sessions in 1.000 s, 1 per second; ms: 50% 1.500, 90% 1.500, 99% 1.500, 100% 1.500");
}

}  // namespace
}  // namespace ekiden::tools
